"""How throughput grows with workers: measured here, and simulated for a cloud (`bench scale`)."""
