"""Language models: what they are, what they need, and where their files come from."""
