"""From a checkpoint to a model for a device: convert, merge, quantise, compare."""
