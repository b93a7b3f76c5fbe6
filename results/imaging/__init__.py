"""Images as bytes and as pictures: PNG with provenance, thumbnails, similarity, contact sheets."""
