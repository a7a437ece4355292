"""Modules that stay on their hosts: sent once, started with their arguments alone."""
