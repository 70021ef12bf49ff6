"""tympan learns to measure from sound."""

__version__ = "0.1.0"
