"""`diptych doctor`: one file per group of checks; each check is one line and, if need be, what mends it."""
