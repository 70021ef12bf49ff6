"""A trained pipeline -> answers."""
