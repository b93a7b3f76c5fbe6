"""The targets of a job, or of many, side by side: metrics, ratios, verdicts, tables."""
