"""Alembic's directory: one file per step of the tables' history."""
