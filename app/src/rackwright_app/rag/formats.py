"""Which kind of document an upload is: by its name, and by what it holds."""

from __future__ import annotations

import unicodedata
from typing import Literal

Kind = Literal["pdf", "docx", "markdown", "text"]
_SUFFIXES: dict[str, Kind] = {
    "pdf": "pdf",
    "docx": "docx",
    "md": "markdown",
    "markdown": "markdown",
    "txt": "text",
    "text": "text",
}
_PDF_HEAD_BYTES = 1024
NAME_CHARACTERS = 200
SUFFIXES = tuple(_SUFFIXES)


class FormatError(Exception):
    """No document that is taken."""


def display_name(given: str | None) -> str:
    """Returns the name under which a document is shown; no file is ever opened by it.

    Args:
        given: What the client calls it, perhaps with a path of its own machine.
    """
    last = (given or "").replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(
        " " if unicodedata.category(character)[0] in "CZ" else character
        for character in last
        if not unicodedata.category(character).startswith("Cs")
    )
    return " ".join(shown.split())[-NAME_CHARACTERS:].strip(". ") or "document"


def kind_of(name: str, head: bytes) -> Kind:
    """Returns the kind of a document.

    Args:
        name: Its name.
        head: Its first bytes.

    Raises:
        FormatError: The name says none that is taken, or the content is another.
    """
    kind = _SUFFIXES.get(name.rpartition(".")[2].lower())
    if kind is None:
        raise FormatError(f"The name must end in one of: {', '.join(SUFFIXES)}.")
    pdf, archive = b"%PDF-" in head[:_PDF_HEAD_BYTES], head.startswith(b"PK\x03\x04")
    if (kind == "pdf" and not pdf) or (kind == "docx" and not archive):
        raise FormatError(f"This is no {kind} file.")
    if kind in {"markdown", "text"} and (archive or head.startswith(b"%PDF-") or b"\0" in head):
        raise FormatError("This is no text file.")
    return kind
