"""What an operator does with a site: apply it, ask how it is, prove it."""
