"""What the engine thread does: sequences, steps, tokens."""
