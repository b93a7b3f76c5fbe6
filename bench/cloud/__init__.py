"""Deployed targets: where they answer, who lets us in, what they were billed for."""
