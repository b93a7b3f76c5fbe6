"""A job as static pages with thumbnails, for a folder or for a bucket that is published."""
