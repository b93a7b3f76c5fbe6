"""The producer: plans a job, publishes its tasks, and follows them to their end."""
