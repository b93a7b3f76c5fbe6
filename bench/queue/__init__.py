"""`diptych bench queue`: jobs through the queue, from their submission to their visible records."""
