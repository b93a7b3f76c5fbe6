"""Hair of the rendered faces: styles, growth, strands."""
