"""The load generator: sends pushes when they are due, and times them."""
