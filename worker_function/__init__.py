"""The function worker: a CloudEvent handler on functions-framework (Cloud Functions, Pub/Sub trigger)."""
