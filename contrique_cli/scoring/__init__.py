"""Photos to scores: ranked, compared, watched, explained; and the Python side."""
