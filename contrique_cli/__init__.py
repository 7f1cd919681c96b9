"""contrique scores photo collections for technical quality; this file holds the version only."""

__version__ = "0.1.0"
