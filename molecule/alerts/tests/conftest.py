"""The scenario's machines, and who watches them."""

from watching import machines, query, tell, watched

__all__ = ["machines", "query", "tell", "watched"]
