"""Rackwright: bare servers to a private AI platform."""
