"""Publishing on Google Pub/Sub, and pulling its dead letters."""
