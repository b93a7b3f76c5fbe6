"""What stands in the way of a job: a stack, a broker or a store that does not answer, said in a line."""
