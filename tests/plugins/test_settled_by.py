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


def told(
    run_module: RunModule, program: Path, *arguments: str, check: bool = False, foreseen: tuple[str, ...] = ()
) -> dict[str, Any]:
    given = {
        "argv": [str(program), *arguments],
        "watched": [str(program.parent)],
        "container": "elasticsearch",
    }
    return run_module("settled_by", {**given, "foreseen": list(foreseen)}, check=check)


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


def test_in_check_mode_the_program_looks_alone_and_tells_the_same(
    run_module: RunModule, program: Path
) -> None:
    program.write_text('#!/bin/sh\n[ "$2" = --check ] && echo "changed $1"\n')
    found = told(run_module, program, "x", check=True)
    assert [item["name"] for item in found["items"]] == ["x"]
    program.write_text("#!/bin/sh\n")
    assert not told(run_module, program, "x", check=True)["changed"]


def test_in_check_mode_what_would_be_written_counts_as_changed(run_module: RunModule, program: Path) -> None:
    ours, other = str(program.with_name("objects.json")), f"{program.parent}-other/objects.json"
    found = told(run_module, program, check=True, foreseen=(other, ours))
    assert [(item["name"], item["reason"]) for item in found["items"]] == [
        ("what bring brings", f"{ours} changes")
    ]
    assert not program.with_name("bring.log").exists()
    program.write_text("#!/bin/sh\n")
    assert not told(run_module, program, check=True, foreseen=(other,))["changed"]


def test_in_check_mode_a_host_without_it_and_a_server_that_is_away(
    run_module: RunModule, program: Path
) -> None:
    found = told(run_module, program, "bad", check=True)
    assert (found["changed"], found["unasked"]) == (False, "the server refuses it")
    program.unlink()
    (item,) = told(run_module, program, check=True)["items"]
    assert item["reason"] == "it was never brought"
