"""Object stores: a local directory and Google Cloud Storage, behind one Protocol."""
