"""Several checkpoints of one architecture become one, in the space of their weights."""
