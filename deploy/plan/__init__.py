"""The steps of a deployment and of its removal, a file for each part."""
