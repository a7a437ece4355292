"""What a proof finds, in words, and what it offers then."""

from dataclasses import replace
from pathlib import Path

import pytest
from backup_samples import BACKUP, STORE

from rackwright.backup.agent import contents, proof
from rackwright.backup.agent.kinds import KINDS
from rackwright.backup.agent.settings import Repository, Store


def test_differences_are_told_in_words() -> None:
    wanted: contents.Contents = {"app": {"public.a": [2, "7"], "public.b": [1, "3"], "public.c": [0, None]}}
    assert contents.differences(wanted, wanted) == []
    found: contents.Contents = {"app": {"public.a": [3, "7"], "public.b": [1, "4"]}}
    assert contents.differences(wanted, found) == [
        "app: public.a has 3 rows, not 2",
        "app: rows of public.b have another content",
        "app: the table public.c is missing",
    ]
    assert contents.differences(wanted, {}) == ["the database app is missing"]


@pytest.mark.parametrize("kind", sorted(name for name, one in KINDS.items() if one.stream))
def test_a_snapshot_is_compared_as_its_kind_says(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = KINDS[kind].stream
    assert stream is not None

    def counted(place: Path, manifest: dict[str, int]) -> int:
        return int((place / "n").read_text()) + manifest["more"]

    compared = replace(stream, compared=counted)
    monkeypatch.setattr(proof, "KINDS", {kind: replace(KINDS[kind], stream=compared)})

    def fed(_: Repository, snapshot: str, name: str, command: list[str]) -> dict[str, int]:
        assert (snapshot, name, command[0]) == ("abcd", "data1/x", "/usr/local/sbin/rackwright-unpack")
        Path(command[1], "n").write_text("41")
        return {"more": 1}

    monkeypatch.setattr(proof.restic, "feed", fed)
    (tmp_path / "scratch").mkdir()
    store = Store("data1/x", "data1", "10.0.30.11", "x", kind)
    told = proof._proved(Repository(tmp_path, 30, (store,)), store, "abcd")
    assert told == f"42 {stream.counted} are what they were"


def test_the_newest_backup_without_damage_is_offered() -> None:
    diff = replace(
        BACKUP,
        label="20260101-010000F_20260102-010000D",
        kind="diff",
        needs=("20260101-010000F",),
        wal=("000000010000000000000007", "000000010000000000000008"),
    )
    full = replace(
        BACKUP, label="20260103-010000F", wal=("00000001000000000000000A", "00000001000000000000000B")
    )
    held = [BACKUP, diff, full]
    assert f"is {diff.label}:" in proof._offer(STORE, held, ["20260103-010000F/bundle/1"])
    assert f"is {full.label}:" in proof._offer(STORE, held, [f"{diff.label}/bundle/1"])
    segment = "17-1/0000000100000000/00000001000000000000000B-" + "0" * 40 + ".zst"
    assert f"is {diff.label}:" in proof._offer(STORE, held, [segment])
    both = ["20260101-010000F/bundle/1", "20260103-010000F/bundle/1"]
    assert "no backup is without damage" in proof._offer(STORE, held, both)
