"""The scenario's machines, and who watches them."""

from watching import machines, query, watched

__all__ = ["machines", "query", "watched"]
