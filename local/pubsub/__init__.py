"""The stack on Google's Pub/Sub emulator and a storage server."""
