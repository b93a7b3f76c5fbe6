"""`diptych submit`, `status`, `watch`, `jobs`, `cancel`, `resume`, `retry` and `dlq`: one file each."""
