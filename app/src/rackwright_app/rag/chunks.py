"""Cuts a text into overlapping pieces, at the ends of paragraphs and sentences where there are any."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_HEADING = re.compile(r"^#{1,6}\s+(.{1,200})$", re.MULTILINE)
# From the best place to cut to the worst: paragraph, line, sentence, part of one, word.
_ENDS = tuple(
    re.compile(pattern) for pattern in (r"\n\s*\n", r"\n", r"[.!?]\s|[。！？；]", r"[,;:，、：]\s?", r"\s")
)
# A cut may come this much earlier than it must.
_SLACK = 0.5
# At a heading a piece ends however short it is, from here on: one subject, one piece.
_SECTION = 0.1


@dataclass(frozen=True)
class Chunk:
    """A piece of a document.

    Attributes:
        page: Its page, None where the kind has none.
        heading: The heading before it, empty when there is none.
        text: What it says.
    """

    page: int | None
    heading: str
    text: str


def chunks_of(pages: Sequence[tuple[int | None, str]], *, characters: int, overlap: int) -> Iterator[Chunk]:
    """Cuts a document.

    Args:
        pages: Number and text of each page.
        characters: Longest piece.
        overlap: Characters that a piece repeats of the one before.
    """
    heading = ""
    for number, page in pages:
        text = re.sub(r"[ \t]+", " ", page.replace("\r\n", "\n")).strip()
        for start, end in _spans(text, characters, overlap):
            if found := list(_HEADING.finditer(text, 0, _line_end(text, start))):
                heading = found[-1][1].strip()
            piece = text[start:end].strip()
            if any(character.isalnum() for character in piece):
                yield Chunk(number, heading, piece)


def _spans(text: str, characters: int, overlap: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = _cut(text, start, characters)
        yield start, end
        if end >= len(text):
            return
        start = max(start + 1, _resume(text, end, overlap, start))


def _cut(text: str, start: int, characters: int) -> int:
    most = min(len(text), start + characters)
    section = _HEADING.search(text, start + int(characters * _SECTION), most)
    if section is not None:
        return section.start()
    if most == len(text):
        return most
    least = start + int(characters * _SLACK)
    for pattern in _ENDS:
        if found := list(pattern.finditer(text, least, most)):
            return found[-1].end()
    return most


def _resume(text: str, end: int, overlap: int, start: int) -> int:
    """Where the next piece begins: at a sentence or word within the overlap."""
    if text.startswith("#", end) or overlap == 0:
        return end
    earliest = max(start + 1, end - overlap)
    for pattern in _ENDS[2:]:
        if found := pattern.search(text, earliest, end):
            return found.end() if found.end() < end else earliest
    return earliest


def _line_end(text: str, start: int) -> int:
    """The end of the line that a piece begins with: a heading there is the piece's own."""
    begin = start + len(text[start:]) - len(text[start:].lstrip())
    end = text.find("\n", begin)
    return len(text) if end < 0 else end
