"""The app and all it needs as one archive, so that a host installs it without any package index."""
