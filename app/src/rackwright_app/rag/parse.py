"""The program that takes one document apart (``bounded``): text by page, or why not.

Reads the document from standard input. Nothing is written to a disk and no link of a document is followed.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

from rackwright_app.bounded import answer_and_end, limited

_ENTRIES = 2_000
_UNPACKED_BYTES = 200_000_000
_RATIO = 200
_SMALL_BYTES = 1_000_000


class RefusedError(Exception):
    """The document is not taken; the message is for its owner."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse(task: dict[str, Any]) -> dict[str, Any]:
    """Takes the document apart.

    Args:
        task: ``kind``, and the most ``pages`` and ``characters``.

    Returns:
        ``pages``, a list of ``[number or None, text]``; or ``code`` and ``message`` of a refusal.
    """
    data = sys.stdin.buffer.read()
    try:
        found = _READERS[task["kind"]](data, task)
        return {"pages": list(_within(found, task["characters"]))}
    except RefusedError as error:
        return {"code": error.code, "message": str(error)}


Pages = Iterable[tuple[int | None, str]]


def _within(pages: Pages, most: int) -> Iterator[tuple[int | None, str]]:
    total = 0
    for number, text in pages:
        # PostgreSQL keeps no NUL, JSON no half of a surrogate pair.
        clean = text.replace("\0", "").encode("utf-8", "ignore").decode()
        total += len(clean)
        if total > most:
            raise RefusedError("document_too_long", f"The document has more than {most} characters of text.")
        yield number, clean


def _pdf(data: bytes, task: dict[str, Any]) -> Pages:
    from pypdf import PdfReader  # noqa: PLC0415 - each kind loads its own library only
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise RefusedError("document_encrypted", "The PDF wants a password.")
        count = len(reader.pages)
        if count > task["pages"]:
            raise RefusedError(
                "document_too_long", f"The PDF has {count} pages; {task['pages']} are allowed."
            )
        for number, page in enumerate(reader.pages, 1):
            yield number, page.extract_text()
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RefusedError("document_broken", "The PDF cannot be read.") from error


def _docx(data: bytes, _task: dict[str, Any]) -> Pages:
    from docx import Document  # noqa: PLC0415
    from docx.table import Table  # noqa: PLC0415
    from docx.text.paragraph import Paragraph  # noqa: PLC0415

    _check_archive(data)
    try:
        lines: list[str] = []
        for block in Document(io.BytesIO(data)).iter_inner_content():
            if isinstance(block, Paragraph):
                style = block.style.name if block.style is not None and block.style.name else ""
                lines.append(f"# {block.text}" if style.startswith("Heading") and block.text else block.text)
            elif isinstance(block, Table):
                lines += ["\t".join(cell.text for cell in row.cells) for row in block.rows]
    except (KeyError, ValueError, SyntaxError, zipfile.BadZipFile, AttributeError) as error:
        raise RefusedError("document_broken", "The DOCX file cannot be read.") from error
    return [(None, "\n\n".join(lines))]


def _check_archive(data: bytes) -> None:
    """Looks at an archive's table of contents before any of it is unpacked."""
    try:
        entries = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise RefusedError("document_broken", "The DOCX file cannot be read.") from error
    unpacked = sum(entry.file_size for entry in entries)
    dense = [
        entry
        for entry in entries
        if entry.file_size > _SMALL_BYTES and entry.file_size > _RATIO * max(1, entry.compress_size)
    ]
    if len(entries) > _ENTRIES or unpacked > _UNPACKED_BYTES or dense:
        raise RefusedError("document_bomb", "The DOCX file would unpack to far more than it is.")
    names = {entry.filename for entry in entries}
    if any(name.startswith("/") or ".." in name.split("/") for name in names):
        raise RefusedError("document_broken", "The DOCX file holds names that lead out of it.")
    if not {"[Content_Types].xml", "word/document.xml"} <= names:
        raise RefusedError("document_broken", "The file is no DOCX document.")


def _text(data: bytes, _task: dict[str, Any]) -> Pages:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return [(None, data.decode(encoding))]
        except UnicodeDecodeError:
            continue
    raise RefusedError("document_broken", "The text is neither UTF-8 nor GB 18030.")


_READERS = {"pdf": _pdf, "docx": _docx, "markdown": _text, "text": _text}

if __name__ == "__main__":
    answer_and_end(parse, limited(sys.argv))
