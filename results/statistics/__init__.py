"""Statistics of the comparison: percentiles, proportions, intervals over trials, verdicts; no records."""
