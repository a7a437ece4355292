"""Everything that a site needs, as one signed directory that can be carried (docs/bundle.md)."""
