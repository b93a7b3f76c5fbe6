"""`diptych model …`."""
