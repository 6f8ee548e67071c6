"""edge_agent: an agent inference server for one device."""

__version__ = "0.1.0"
