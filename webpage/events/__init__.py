"""Live progress: one poller a job, and the event streams that pass its news on."""
