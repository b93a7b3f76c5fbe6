"""Heads of the rendered faces: shape, skin, eyes, expression, glasses."""
