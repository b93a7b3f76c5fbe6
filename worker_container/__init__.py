"""The container worker: a Flask application that takes Pub/Sub push deliveries (Cloud Run)."""
