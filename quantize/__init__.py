"""Makes smaller models out of larger ones: int8 ONNX and quantised GGUF."""
