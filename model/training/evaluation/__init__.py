"""How good a model is: figures against real images, sheets and a page for eyes."""
