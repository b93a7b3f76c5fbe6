"""Generate stored images again from their provenance, and compare."""
