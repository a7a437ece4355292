"""The command line: one click command per file, no logic in them."""
