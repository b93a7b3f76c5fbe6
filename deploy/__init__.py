"""Deploy Diptych to Google Cloud, remove it, and check a deployment."""
