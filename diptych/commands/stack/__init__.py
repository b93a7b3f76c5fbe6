"""`diptych up`, `demo` and `web`."""
