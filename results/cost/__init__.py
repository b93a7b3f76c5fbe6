"""What a job costs by the price table: formulas, actual costs, and how they are printed."""
