"""From a Hugging Face checkpoint to a GGUF, without torch and without holding the model."""
