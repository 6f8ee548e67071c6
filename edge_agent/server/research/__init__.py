"""Research as a route: runs of the agent."""
