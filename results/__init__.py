"""Records, object names, stores, PNG, and what is read back from them. Knows no model."""
