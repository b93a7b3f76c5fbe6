"""Who may push to a worker: OIDC tokens and the certificates that they are checked against."""
