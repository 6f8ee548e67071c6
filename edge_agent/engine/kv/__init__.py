"""What has been computed already, and where it lies: cells, memory, disk."""
