"""Self-supervised pre-training: photos to a checkpoint."""
