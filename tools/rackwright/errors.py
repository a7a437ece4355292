"""The one error base class: what an operator is told, and what the process exits with."""

from __future__ import annotations


class RackwrightError(Exception):
    """An error that the operator can act upon; printed once, at the entry point, without a traceback.

    Attributes:
        message: What is wrong, in one sentence or a few lines.
        hint: What to do about it, when that is known.
        exit_code: The exit status of the process.
    """

    def __init__(self, message: str, hint: str | None = None, exit_code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        """Return the message with its hint, for callers that print errors on their own (Ansible)."""
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message
