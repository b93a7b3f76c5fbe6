"""`diptych bench …`."""
