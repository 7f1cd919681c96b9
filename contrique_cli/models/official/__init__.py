"""The published files, read as data and never executed."""
