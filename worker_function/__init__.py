"""The function worker: a CloudEvent handler on the same core (Cloud Functions)."""
