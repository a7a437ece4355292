"""The proof that nothing leaves a site: what was counted on every host (docs/bundle.md)."""
