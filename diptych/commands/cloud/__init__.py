"""`diptych deploy`, `destroy` and `doctor`."""
