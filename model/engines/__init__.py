"""Inference engines: OpenVINO for serving on CPUs, torch as the reference."""
