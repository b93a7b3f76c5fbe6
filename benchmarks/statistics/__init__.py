"""Whether intervals and verdicts hold where the truth is known."""
