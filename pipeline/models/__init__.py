"""Models on the worker's side: loaded engines, fetched checkpoints, and how they get into the store."""
