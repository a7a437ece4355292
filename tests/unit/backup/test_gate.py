"""What a host may ask the backup host's pgBackRest."""

from pathlib import Path

import pytest

from rackwright.backup.agent import gate

ASKED = ["pgbackrest", "--exec-id=1-a", "--log-level-console=off", "--remote-type=repo", "--repo=1"]


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        ([*ASKED, "--stanza=data1", "archive-push:remote"], True),
        ([*ASKED, "--stanza=data1", "archive-get:remote"], True),
        ([*ASKED, "--stanza=data2", "archive-push:remote"], False),
        ([*ASKED, "archive-push:remote"], False),
        ([*ASKED, "--stanza=data1", "--stanza=data2", "archive-push:remote"], False),
        ([*ASKED, "--stanza=data1", "--repo1-path=/etc", "archive-push:remote"], False),
        ([*ASKED, "--stanza=data1", "--repo1-cipher-pass=x", "archive-push:remote"], False),
        ([*ASKED, "--stanza=data1", "--config=/tmp/x", "archive-push:remote"], False),
        ([*ASKED, "--stanza=data1", "--cmd=/tmp/x", "archive-push:remote"], False),
        ([*ASKED, "--stanza=data1", "stanza-delete:remote"], False),
        ([*ASKED, "--stanza=data1", "expire"], False),
        ([*ASKED, "--stanza=data1", "repo-get", "archive-push:remote"], False),
        (["bash", "--stanza=data1", "archive-push:remote"], False),
        ([], False),
    ],
)
def test_a_host_may_bring_its_own_log_and_have_its_own_backups(words: list[str], allowed: bool) -> None:
    assert gate.permitted(words, gate.OF_THE_REPOSITORY, "data1") is allowed


def test_a_guest_brings_nothing() -> None:
    push = [*ASKED, "--stanza=data1", "archive-push:remote"]
    assert not gate.permitted(push, gate.OF_A_GUEST, "data1")
    assert gate.permitted([*push[:-1], "archive-get:remote"], gate.OF_A_GUEST, "data1")


def test_a_host_reads_anothers_backups_only_while_it_is_a_guest(tmp_path: Path) -> None:
    assert gate.guest_of("data2", tmp_path) == ""
    (tmp_path / "data2").write_text("data1\n")
    assert gate.guest_of("data2", tmp_path) == "data1"
    assert gate.guest_of("data3", tmp_path) == ""
