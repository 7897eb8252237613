"""Objects in a folder or below an S3 prefix, written atomically."""
