"""What a worker does with a delivery: from the envelope to the record, a failure, or another try."""
