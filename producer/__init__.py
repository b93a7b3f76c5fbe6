"""The producer: plans jobs, publishes their tasks and watches them until they end."""
