"""What a smaller GGUF lost against the one it was made of."""
