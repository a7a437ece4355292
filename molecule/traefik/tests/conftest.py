"""The fixtures of an edge's scenario."""

from edge_hosts import api, apply, ask, connect, edge, engine, inventory, variables

__all__ = ["api", "apply", "ask", "connect", "edge", "engine", "inventory", "variables"]
