"""Commands of more than one part of the house: results, model."""
