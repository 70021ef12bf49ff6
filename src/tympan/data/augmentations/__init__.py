"""Random changes, one per file."""
