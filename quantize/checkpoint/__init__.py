"""Hugging Face checkpoints on disk: a folder of safetensors, a configuration and a tokenizer."""
