"""Projected training (arXiv:2111.01007): a discriminator that looks through a finished classifier."""
