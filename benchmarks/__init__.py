"""The developers' own measurements; not part of the wheel."""
