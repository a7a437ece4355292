"""FastChat on one host: which workers it runs for which models."""
