"""What a proof finds, in words, and what it offers then."""

from dataclasses import replace

from backup_samples import BACKUP, STORE

from rackwright.backup.agent import contents, proof


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
