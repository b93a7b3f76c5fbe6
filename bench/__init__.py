"""Benchmarks: measured by hand, never in a timed test."""
