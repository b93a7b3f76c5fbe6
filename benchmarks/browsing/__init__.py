"""The page in a browser, and browsing large jobs."""
