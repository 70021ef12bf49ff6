"""Configuration -> trained pipeline: run, train, evaluate."""
