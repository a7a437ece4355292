"""Disaster rehearsals: a host's place is taken by another machine, and it is measured how long that takes."""
