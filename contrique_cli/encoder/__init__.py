"""The network, made fast for its device, and the features it gives of photos."""
