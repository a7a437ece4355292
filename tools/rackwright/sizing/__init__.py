"""Sizing: from intents and the facts of a machine to numbers, each with its reason."""
