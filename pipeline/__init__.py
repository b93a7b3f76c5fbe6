"""The shared core: messages, envelopes, task processing, settings, logs, wiring."""
