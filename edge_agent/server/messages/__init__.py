"""Messages: Anthropic's bodies in, events of a chat out, in Anthropic's shapes."""
