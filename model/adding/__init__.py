"""The operator's side of models that are no checkpoint of ours: from a form to a descriptor."""
