"""Tests of what `rackwright audit` prints."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from rackwright.audit import last, run
from rackwright.audit.model import Audit, Item, both
from rackwright.cli.audit import command


def test_what_several_hosts_say_alike_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_recorder = both("a container", "容器")
    items = (
        Item("recorder", "data1", "none", no_recorder),
        Item("recorder", "app1", "none", no_recorder),
        Item("sshd", "app1", "pass", both("keys only", "仅密钥")),
        Item("logs", "", "warn", both("no log store", "未配置")),
        Item("units", "app1", "fail", both("a.service: 9", "a.service：9")),
    )
    monkeypatch.setattr(run, "audit", lambda *_, **__: Audit("lab", ("app1", "data1"), items))
    monkeypatch.setattr(last, "keep", lambda _: None)

    result = CliRunner().invoke(command, ["-i", str(tmp_path)], terminal_width=200)

    lines = [line.strip() for line in result.output.splitlines()]
    assert result.exit_code == 1
    assert lines.count("data1, app1: a container") == 1
    assert "no log store" in lines
    assert "app1: a.service: 9" in lines
    assert "keys only" not in result.output
