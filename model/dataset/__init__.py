"""Training data that is made here: synthetic faces, rendered from CC0 3D shapes into a folder."""
