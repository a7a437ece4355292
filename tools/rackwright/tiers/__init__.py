"""Tiers: what a site of each size is meant to be, before any machine is looked at."""
