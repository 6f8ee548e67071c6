"""HTTP: the OpenAI API and agent runs."""
