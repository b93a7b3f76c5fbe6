"""The folder that a benchmark writes: raw rows, environment, figures, report; written and read again."""
