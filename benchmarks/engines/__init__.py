"""Inference engines and PNG encoders side by side."""
