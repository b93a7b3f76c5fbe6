"""The models: networks, training, checkpoints, engines, registry. Independent of cloud and queue."""
