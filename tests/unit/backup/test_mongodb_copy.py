"""MongoDB's backups without a server: what an archive holds, and what is refused with nothing touched."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackwright.backup.agent import archive, mongodb
from rackwright.backup.agent.shell import Failed

STORE = {"kind": "mongodb", "container": "mongodb", "server": "data1"}
Blocks = list[tuple[str, str, list[bytes], bool]]


def document(fields: bytes) -> bytes:
    """A document in BSON."""
    return struct.pack("<i", len(fields) + 5) + fields + b"\0"


def text(name: str, value: str) -> bytes:
    return (
        b"\x02" + name.encode() + b"\0" + struct.pack("<i", len(value.encode()) + 1) + value.encode() + b"\0"
    )


def head(database: str, collection: str, *, ends: bool) -> bytes:
    fields = text("db", database) + text("collection", collection)
    return document(fields + b"\x08EOF\0" + (b"\1" if ends else b"\0") + b"\x12CRC\0" + struct.pack("<q", -5))


def archived(blocks: Blocks) -> bytes:
    """An archive as mongodump writes it."""
    about = document(
        b"\x10concurrent_collections\0\4\0\0\0" + text("version", "0.1") + text("server_version", "8.0.4")
    )
    data = mongodb.MAGIC + about + document(text("db", "app") + text("metadata", "{}")) + mongodb.END
    for database, collection, bodies, ends in blocks:
        data += head(database, collection, ends=ends) + b"".join(bodies) + mongodb.END
    return data


NOTES = [document(text("word", str(n))) for n in range(3)]
WHOLE: Blocks = [
    ("app", "notes", NOTES[:2], False),
    ("app", "other", NOTES, False),
    ("app", "notes", NOTES[2:], False),
    ("app", "notes", [], True),
    ("app", "other", [], True),
    ("app", "empty", [], True),
]


def test_documents_are_counted_by_collection_however_they_are_mixed() -> None:
    found = mongodb.contents_of(io.BytesIO(archived(WHOLE)))["app"]
    assert {name: count for name, (count, _) in found.items()} == {"notes": 3, "other": 3, "empty": 0}
    # In whatever order, they are the same.
    assert found["notes"] == found["other"]
    changed: Blocks = [("app", "notes", [NOTES[0], NOTES[0], NOTES[2]], False), ("app", "notes", [], True)]
    assert mongodb.contents_of(io.BytesIO(archived(changed)))["app"]["notes"][1] != found["notes"][1]


@given(st.integers(0, len(archived(WHOLE)) - 1))
def test_an_archive_that_is_cut_short_is_never_taken_for_another(at: int) -> None:
    whole = mongodb.contents_of(io.BytesIO(archived(WHOLE)))
    try:
        found = mongodb.contents_of(io.BytesIO(archived(WHOLE)[:at]))
    except Failed:
        return
    # Between two collections nothing but what is missing tells; the manifest's checksum does as well.
    assert found != whole


@pytest.mark.parametrize("data", [b"", b"PK\3\4", mongodb.MAGIC, mongodb.MAGIC + mongodb.END])
def test_what_is_no_archive_is_told(data: bytes) -> None:
    with pytest.raises(Failed):
        mongodb.contents_of(io.BytesIO(data))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A host with MongoDB 8.0 that holds WHOLE; returns what its programs were told."""
    ran: list[list[str]] = []

    def tool(_store: Any, program: str, options: list[str], **streams: Any) -> None:  # noqa: ANN401
        ran.append([program, *options])
        if program == "mongodump":
            streams["stdout"].write(archived(WHOLE))

    monkeypatch.setattr(mongodb, "STAGING", tmp_path / "staging")
    monkeypatch.setattr(mongodb, "ASIDE", tmp_path / "aside")
    monkeypatch.setattr(mongodb, "look", lambda _store: ("8.0", {"app": 1000}))
    monkeypatch.setattr(mongodb, "_tool", tool)
    return ran


def sent() -> bytes:
    out = io.BytesIO()
    mongodb.send(STORE, out, lambda: None)
    return out.getvalue()


def test_what_was_sent_comes_back_and_what_was_there_is_kept(tmp_path: Path, host: list[list[str]]) -> None:
    stream = sent()
    assert host == [["mongodump", "--db=app"]]
    told = mongodb.receive(STORE, io.BytesIO(stream))
    assert (told["rows"], told["rows_in_backup"]) == (6, 6)
    assert host[1:] == [
        ["mongodump", "--db=app"],
        ["mongorestore", "--drop", "--nsInclude=app.*"],
        ["mongodump", "--db=app"],
    ]
    assert (tmp_path / "aside/app.archive").read_bytes() == archived(WHOLE)
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_proof_reads_every_document(tmp_path: Path, host: list[list[str]]) -> None:
    manifest = archive.receive(io.BytesIO(sent()), tmp_path)
    assert mongodb.compared(tmp_path, manifest) == 6
    manifest["contents"]["app"]["notes"][0] = 4
    with pytest.raises(Failed, match="notes has 3 rows, not 4; nothing was changed"):
        mongodb.compared(tmp_path, manifest)
    assert [words[0] for words in host] == ["mongodump"]


def test_a_copy_of_another_series_or_that_was_changed_touches_nothing(
    tmp_path: Path, host: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = sent()
    damaged = stream.replace(NOTES[1], NOTES[0])
    with pytest.raises(Failed, match="are not what the backup's manifest says"):
        mongodb.receive(STORE, io.BytesIO(damaged))
    monkeypatch.setattr(mongodb, "look", lambda _store: ("7.0", {"app": 1000}))
    with pytest.raises(Failed, match=r"is of MongoDB 8\.0, this host has 7\.0; nothing was changed"):
        mongodb.receive(STORE, io.BytesIO(stream))
    assert [words[0] for words in host] == ["mongodump"]
    assert not (tmp_path / "aside").exists()


def test_what_is_not_there_afterwards_is_told(host: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    stream = sent()
    before = mongodb.dump

    def less(*given: Any) -> Any:  # noqa: ANN401
        found = before(*given)
        if len(host) > 3:
            del found["app"]["other"]
        return found

    monkeypatch.setattr(mongodb, "dump", less)
    with pytest.raises(Failed, match="the table other is missing"):
        mongodb.receive(STORE, io.BytesIO(stream))


def test_no_copy_is_begun_that_does_not_fit_on_the_disk(
    host: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongodb, "look", lambda _store: ("8.0", {"app": 1 << 60}))
    with pytest.raises(Failed, match="a copy takes"):
        mongodb.send(STORE, io.BytesIO(), lambda: None)
    assert host == []
