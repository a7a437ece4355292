"""Masks personal data and keys in an answer while it is streamed.

A number may be split over any pieces, so what could be the beginning of one is held back until it has ended:
at most a word, in a flow of Chinese text nothing.
"""

from __future__ import annotations

from rackwright_app.masking import mask_text

# No word of people is this long; a token of this length is masked as far as it is known.
_LONGEST = 8_192


class OutputFilter:
    """Masks one answer, piece by piece.

    Attributes:
        masked: Whether anything was masked.
    """

    def __init__(self) -> None:
        self._held = ""
        self._before = ""
        self.masked = False

    def feed(self, text: str) -> str:
        """Takes the next piece and returns what may be shown now, perhaps nothing."""
        self._held += text
        cut = self._settled()
        return self._release(cut) if cut else ""

    def end(self) -> str:
        """Returns what is left when the answer has ended."""
        return self._release(len(self._held)) if self._held else ""

    def _settled(self) -> int:
        start = len(self._held)
        # Backwards over what may belong to one pattern.
        while start and (self._held[start - 1].isascii() and _belongs(self._held, start - 1)):
            start -= 1
        return len(self._held) if len(self._held) - start > _LONGEST else start

    def _release(self, cut: int) -> str:
        # The character before decides whether a pattern may begin: it is looked at again, not shown again.
        shown, self._held = self._held[:cut], self._held[cut:]
        masked = mask_text(self._before + shown)[len(self._before) :]
        self.masked = self.masked or masked != shown
        self._before = shown[-1:] if shown else self._before
        return masked


def _belongs(text: str, at: int) -> bool:
    character = text[at]
    if character.isalnum() or character in "._%+@-":
        return True
    # A space within a phone number: digits stand before it, and digits or nothing yet after it.
    if character != " ":
        return False
    after = text[at + 1 :]
    return at > 0 and text[at - 1].isdigit() and (not after or after[0].isdigit())
