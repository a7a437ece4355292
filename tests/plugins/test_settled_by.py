"""settled_by: what the program says it changed, what it may not do, and when it is not run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

RunModule: TypeAlias = Callable[..., dict[str, Any]]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "bring"
    path.write_text(
        "#!/bin/sh\necho run >> $0.log\n"
        '[ "$1" = bad ] && { echo "the server refuses it" >&2; exit 1; }\n'
        'for name in "$@"; do echo "changed $name"; done; echo "looked at all"\n'
    )
    path.chmod(0o755)
    return path


def told(run_module: RunModule, program: Path, *arguments: str, check: bool = False) -> dict[str, Any]:
    given = {"argv": [str(program), *arguments], "watched": [str(program)], "container": "elasticsearch"}
    return run_module("settled_by", given, check=check)


def test_what_was_written_is_told(run_module: RunModule, program: Path) -> None:
    found = told(run_module, program, "/_ilm/policy/x", "/_security/user/a b")
    assert found["changed"]
    assert [item["name"] for item in found["items"]] == ["/_ilm/policy/x", "/_security/user/a b"]
    found = told(run_module, program)
    assert (found["changed"], found["items"]) == (False, [])


def test_what_the_program_says_of_a_failure_is_told(run_module: RunModule, program: Path) -> None:
    found = told(run_module, program, "bad")
    assert found["failed"]
    assert "ended with 1: the server refuses it" in found["msg"]


def test_check_mode_runs_nothing(run_module: RunModule, program: Path) -> None:
    found = told(run_module, program, "x", check=True)
    assert not found["changed"]
    assert not program.with_name("bring.log").exists()
