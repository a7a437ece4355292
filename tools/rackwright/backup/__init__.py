"""Backups and restores: what is kept of a site, where, how often, and how it comes back."""
