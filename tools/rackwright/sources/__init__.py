"""Where everything that enters a host comes from (docs/sources.md)."""
