"""Instruments, one per file."""
