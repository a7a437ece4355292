"""Finds lines in the log store of the site, on its own host, with the standard library alone."""
