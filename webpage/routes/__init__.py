"""HTTP routes: HTML, JSON, images, static files, errors and security headers."""
