"""The chat service of a Rackwright platform."""

from importlib.metadata import version

__version__ = version("rackwright-app")
