"""Features of photos seen before, kept on the disk."""
