"""The stack without a cloud: an embedded broker and Celery workers that deliver."""
