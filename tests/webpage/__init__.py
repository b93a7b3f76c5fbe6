"""Tests of the page, served by its own server."""
