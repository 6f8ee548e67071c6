"""What a model costs and what this machine has: how to load it."""
