"""The importance matrix: which columns of which weights see large activations."""
