"""Parts that a user wrote, outside of the package."""
