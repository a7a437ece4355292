"""Documents of every kind, good and evil, made on the spot."""

from __future__ import annotations

import io
import zipfile

import docx


def docx_file(*paragraphs: str) -> bytes:
    document = docx.Document()
    document.add_heading(paragraphs[0], 1)
    for paragraph in paragraphs[1:]:
        document.add_paragraph(paragraph)
    table = document.add_table(1, 2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "serial", "SN-4711"
    packed = io.BytesIO()
    document.save(packed)
    return packed.getvalue()


def pdf_file(*pages: str) -> bytes:
    """The smallest PDF that says something on each page."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b""]
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents {len(objects) + 2} 0 R"
            "/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>".encode()
        )
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream))
    objects[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids)}>>".encode()
    body, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    return (
        body
        + head
        + table
        + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
        % (
            len(objects) + 1,
            len(body),
        )
    )


def bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", b"0" * 150_000_000)
    return packed.getvalue()


def traversal() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("[Content_Types].xml", "word/document.xml", "../../../../etc/cron.d/evil"):
            archive.writestr(name, "x")
    return packed.getvalue()


def entities() -> bytes:
    """A DOCX whose text is an external entity, the classic way to read a server's files."""
    source, packed = zipfile.ZipFile(io.BytesIO(docx_file("Head", "MARK"))), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename == "word/document.xml":
                data = data.replace(b"MARK", b"&leak;")
                data = data.replace(b"?>", b'?><!DOCTYPE d [<!ENTITY leak SYSTEM "file:///etc/passwd">]>', 1)
            archive.writestr(entry, data)
    return packed.getvalue()
