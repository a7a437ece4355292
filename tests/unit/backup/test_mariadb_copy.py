"""MariaDB's backups as far as they need no server: what is refused before anything is touched."""

import io
from pathlib import Path
from typing import Any

import pytest

from rackwright.backup.agent import archive, mariadb
from rackwright.backup.agent.shell import Failed

CONTENTS = {"app": {"notes": [2000, "7"]}}
MANIFEST = {"kind": "mariadb", "version": "11.8", "contents": CONTENTS}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A host with MariaDB 11.8, whose copies hold what they held; returns what was run on it."""
    ran: list[list[str]] = []
    monkeypatch.setattr(mariadb, "series", lambda: "11.8")
    monkeypatch.setattr(mariadb, "contents_of", lambda _copy: CONTENTS)
    monkeypatch.setattr(mariadb, "run", lambda words, **_: ran.append(list(words)))
    monkeypatch.setattr(mariadb, "_await", lambda *_: None)
    monkeypatch.setattr(mariadb, "_counted", lambda _socket: CONTENTS)
    return ran


def stream(tmp_path: Path, **other: object) -> tuple[dict[str, Any], io.BytesIO]:
    """A store with something in it, and what was once sent of it."""
    directory, copy = tmp_path / "mysql", tmp_path / "copy"
    for place, text in ((directory, "now"), (copy, "then")):
        place.mkdir()
        (place / "ibdata1").write_text(text)
    (copy / "backup-my.cnf").write_text("[mysqld]\n")
    out = io.BytesIO()
    archive.send(out, [(mariadb.DATA, copy)], {**MANIFEST, **other})
    return {"directory": str(directory), "unit": "mariadb.service"}, io.BytesIO(out.getvalue())


def test_what_was_sent_takes_the_place_of_the_data_which_is_kept(
    tmp_path: Path, host: list[list[str]]
) -> None:
    store, sent = stream(tmp_path)
    told = mariadb.receive(store, sent)
    assert (told["rows"], told["rows_in_backup"]) == (2000, 2000)
    assert {path.name: path.read_text() for path in (tmp_path / "mysql").iterdir()} == {"ibdata1": "then"}
    assert (tmp_path / "mysql.before-restore/ibdata1").read_text() == "now"
    assert [words[:2] for words in host] == [["systemctl", "stop"], ["chown", "-R"], ["systemctl", "start"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "mysql", "mysql.before-restore"]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"version": "10.11"}, "is of MariaDB 10.11, this host has 11.8; nothing was changed"),
        ({"contents": {"app": {"notes": [2001, "7"]}}}, "notes has 2000 rows, not 2001; nothing was changed"),
        ({"contents": {"app": {"notes": [2000, "8"]}}}, "rows of notes have another content"),
    ],
)
def test_a_copy_that_does_not_fit_changes_nothing(
    tmp_path: Path, host: list[list[str]], other: dict[str, Any], told: str
) -> None:
    store, sent = stream(tmp_path, **other)
    with pytest.raises(Failed, match=told):
        mariadb.receive(store, sent)
    assert host == []
    assert (tmp_path / "mysql/ibdata1").read_text() == "now"
    assert not (tmp_path / "mysql.before-restore").exists()


def test_no_copy_is_begun_that_does_not_fit_on_the_disk(
    tmp_path: Path, host: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mariadb, "STAGING", tmp_path / "staging")
    monkeypatch.setattr(mariadb, "_size", lambda _: 1 << 60)
    with pytest.raises(Failed, match="a copy takes"):
        mariadb.send({"directory": str(tmp_path)}, io.BytesIO(), lambda: None)
    assert host == []
