"""What the platform recorded is really looked at: a missing or unmasked line fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

RunModule: TypeAlias = Callable[..., dict[str, Any]]

LINE = {
    "time": "2026-01-01T00:00:00Z",
    "user": "smoke-1",
    "address": "10.0.0.1",
    "method": "POST",
    "path": "/api/chat",
    "agent": "rackwright-smoke",
    "status": 200,
    "body": {"message": "Call 138****5678"},
}


def ask(run_module: RunModule, log: Path, *lines: dict[str, Any]) -> dict[str, bool]:
    log.write_text("cut off\n" + "".join(json.dumps(line) + "\n" for line in lines))
    result = run_module(
        "smoke_records",
        {
            "audit_log": str(log),
            "user": "smoke-1",
            "question": "Call 13812345678",
            "personal": "13812345678",
            "masked": "138****5678",
        },
    )
    assert result["failed"] is not all(step["ok"] for step in result["steps"])
    return {step["name"]: step["ok"] for step in result["steps"]}


def test_a_masked_line_of_the_user_passes(run_module: RunModule, tmp_path: Path) -> None:
    other = {**LINE, "user": "somebody", "body": {"message": "13812345678"}}
    assert ask(run_module, tmp_path / "audit.log", other, LINE) == {"audited": True, "masked": True}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], {"audited": False, "masked": False}),
        ([{**LINE, "user": "somebody"}], {"audited": False, "masked": False}),
        ([{**LINE, "path": "/api/sessions"}], {"audited": False, "masked": True}),
        ([{**LINE, "address": ""}], {"audited": False, "masked": True}),
        ([{**LINE, "body": {"message": "Call 13812345678"}}], {"audited": True, "masked": False}),
        ([{**LINE, "body": {}}], {"audited": True, "masked": False}),
    ],
)
def test_what_is_missing_or_unmasked_fails(
    run_module: RunModule, tmp_path: Path, lines: list[dict[str, Any]], expected: dict[str, bool]
) -> None:
    assert ask(run_module, tmp_path / "audit.log", *lines) == expected


def test_one_of_several_instances_may_know_nothing_of_it(run_module: RunModule, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    texts = {"personal": "13812345678", "masked": "138****5678"}
    arguments = {"audit_log": str(log), "user": "smoke-1", "question": "q", "instances": 2, **texts}
    log.write_text("")
    result = run_module("smoke_records", arguments)
    assert not result["failed"], result
    assert [(step["ok"], step["skipped"]) for step in result["steps"]] == [(True, True)] * 2
    # What it does know must be sound.
    log.write_text(json.dumps({**LINE, "body": {"message": "Call 13812345678"}}) + "\n")
    assert run_module("smoke_records", arguments)["failed"]


def test_a_log_that_is_not_there_fails(run_module: RunModule, tmp_path: Path) -> None:
    arguments = {"user": "smoke-1", "question": "q", "personal": "p", "masked": "m"}
    result = run_module("smoke_records", {"audit_log": str(tmp_path / "none.log"), **arguments})
    assert result["failed"]
    assert "FileNotFoundError" in result["msg"]
