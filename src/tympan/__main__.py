"""`python -m tympan`."""

from .cli import main

main()
