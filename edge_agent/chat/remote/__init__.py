"""A model behind somebody else's OpenAI-compatible server."""
