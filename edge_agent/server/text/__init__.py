"""Text: what a model makes of it without writing any; tokens, prompts, vectors."""
