"""What this machine has, and what is wrong with it."""
