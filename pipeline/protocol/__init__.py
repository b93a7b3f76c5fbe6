"""What travels and how it ends: task message, envelope, outcomes, HTTP statuses, stamps, trace ids."""
