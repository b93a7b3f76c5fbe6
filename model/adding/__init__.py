"""Register models of other families: from a form to a descriptor."""
