"""`diptych doctor`: one file per group of checks; each check is one line, with a fix if it fails."""
