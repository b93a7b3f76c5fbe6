"""Stand-ins for Google Cloud and gcloud."""
