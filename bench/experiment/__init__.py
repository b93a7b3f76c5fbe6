"""A paired experiment: two targets, fresh instances, the same tasks, in random order (`bench compare`)."""
