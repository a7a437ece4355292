"""Runs the command line as ``python -m rackwright_app``."""

from rackwright_app.cli import main

main()
