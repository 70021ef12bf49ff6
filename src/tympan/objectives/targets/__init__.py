"""Target kinds, one per file."""
