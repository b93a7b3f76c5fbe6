"""Training of Progressive GANs. Needs the `train` extra (torch)."""
