"""The 25 distortions of the method at five levels each, in batches."""
