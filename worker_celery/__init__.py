"""The Celery worker: plays the push subscription offline, or generates tasks itself."""
