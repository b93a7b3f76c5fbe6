"""Exports of a job's images and records, in the forms that people load next (docs/export.md)."""
