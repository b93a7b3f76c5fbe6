"""Sizes and cold starts of the container images."""
