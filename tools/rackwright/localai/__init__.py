"""LocalAI on one host: the configuration of its models."""
