"""The steps of a deployment and of its removal, one file per part."""
