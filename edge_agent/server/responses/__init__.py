"""Responses: OpenAI's stateful API, over what is kept of each response."""
