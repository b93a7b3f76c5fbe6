"""Publishing on Celery and Redis, and reading what the broker holds."""
