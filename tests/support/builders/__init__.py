"""Builders of jobs, stores, models and files."""
