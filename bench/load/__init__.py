"""Load at the HTTP workers: schedule, generator, what it measured, and what that says."""
