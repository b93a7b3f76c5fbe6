"""The page: ask for N images, watch both panels fill, browse what came of it."""
