"""Diptych: one batch of images, generated twice, by a container and by a serverless function."""

__version__ = "0.1.0"
