"""The container worker: Flask under gunicorn, which Pub/Sub pushes to (Cloud Run)."""
