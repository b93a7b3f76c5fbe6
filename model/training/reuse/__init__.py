"""What trained networks give to a new run: weights, wider or at a lower resolution, and a teacher."""
