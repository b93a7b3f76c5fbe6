"""What the routes answer with: jobs, images, comparisons and figures as JSON."""
