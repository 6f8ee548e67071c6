"""Completions: bodies in, events of a chat out, in OpenAI's shapes."""
