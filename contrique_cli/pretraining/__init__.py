"""Pre-training, room by room; the verb `train` joins them."""
