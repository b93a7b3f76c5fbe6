"""The models: networks, training, checkpoints, engines, registry. Knows no cloud and no queue."""
