"""What puts Diptych on Google Cloud, and checks that it stands there as it should."""
