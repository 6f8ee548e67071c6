"""Plain text goes on: completions without a chat, in OpenAI's shape and in llama.cpp's own."""
