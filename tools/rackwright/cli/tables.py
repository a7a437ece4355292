"""How commands print tables."""

from __future__ import annotations

from rich.console import Console

# What a file or a pipe gets: rich would fold everything to 80 columns there.
PIPE_WIDTH = 140


def console() -> Console:
    """Return the console for a command's output; wide when the output is no terminal."""
    found = Console(highlight=False)
    if not found.is_terminal:
        found.width = PIPE_WIDTH
    return found
