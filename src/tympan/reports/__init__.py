"""A run's folder -> one self-contained page."""
