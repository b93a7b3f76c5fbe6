"""The Celery worker: plays the push subscription offline, or paints tasks itself."""
