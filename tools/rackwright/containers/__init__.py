"""Containers as the hosts run them: what a service may say of its container, and the compose file from it."""
