"""What a run in check mode would have written counts for the tasks that follow."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.rackwright.freshness import newest
from ansible.module_utils.rackwright.postgresql_restart import restart_names, settings_in
from hypothesis import given
from hypothesis import strategies as st

from rackwright.remote.foreseen import FACT, LONGEST_TEXT, foresee, foreseen, written

OURS = "/etc/postgresql/17/main/conf.d/10-rackwright.conf"


def variables(result: dict[str, Any]) -> dict[str, Any]:
    """The variables of the next task on the same host."""
    return {"ansible_facts": result.get("ansible_facts", {})}


def test_notes_of_several_tasks_add_up() -> None:
    first: dict[str, Any] = {}
    foresee(first, {}, {"/etc/a": "x"})
    second: dict[str, Any] = {"ansible_facts": {"other": 1}}
    foresee(second, variables(first), {"/etc/b": None, "/etc/c": "y" * (LONGEST_TEXT + 1)})
    assert foreseen(variables(second)) == {"/etc/a": "x", "/etc/b": None, "/etc/c": None}
    assert second["ansible_facts"]["other"] == 1


def test_nothing_is_noted_where_nothing_changes() -> None:
    result: dict[str, Any] = {}
    foresee(result, {}, {})
    assert result == {}


def test_what_an_earlier_run_foresaw_is_forgotten() -> None:
    assert foreseen({"ansible_facts": {FACT: {"run": "1:1", "paths": {"/etc/a": None}}}}) == {}


ITEMS = [
    ({"dest": "/etc/a", "changed": True, "reason": "content"}, {"/etc/a": "text"}),
    ({"dest": "/etc/a", "changed": True, "reason": "mode 0644 -> 0600"}, {"/etc/a": "text"}),
    ({"dest": "/etc/a", "changed": False, "reason": ""}, {}),
    ({"dest": "/etc/d", "changed": True, "reason": "created"}, {"/etc/d": None}),
    ({"dest": "/etc/d", "changed": True, "reason": "mode 0755 -> 0750"}, {}),
    ({"dest": "/etc/d/gone", "changed": True, "reason": "removed"}, {"/etc/d": None}),
    ({"dest": "/etc/l", "changed": True, "reason": "target a -> b"}, {"/etc/l": None}),
    ({"dest": "user:x", "changed": True, "reason": "created"}, {}),
    ({"dest": "sysctl:x", "changed": True, "reason": "set to 1"}, {}),
]


@pytest.mark.parametrize(("item", "expected"), ITEMS)
def test_what_a_service_would_find_changed(item: dict[str, Any], expected: dict[str, str | None]) -> None:
    assert written([item], {"/etc/a": "text"}) == expected


@pytest.mark.parametrize(
    ("watched", "new", "found"),
    [
        ("/etc/x", "/etc/x", True),
        ("/etc/x", "/etc/x/y/z", True),
        ("/etc/x/", "/etc/x/y", True),
        ("/etc/x", "/etc/xy", False),
        ("/etc/x/y", "/etc/x", False),
    ],
)
def test_a_tree_is_watched_as_a_whole(watched: str, new: str, found: bool) -> None:
    now = time.time()
    assert (newest([watched], now, [new]).time == now) is found


def test_a_link_stands_for_its_target(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("x")
    folder = tmp_path / "watched"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "target")
    now = time.time() + 10
    assert newest([str(folder)], now, [str(tmp_path / "target")]).time == now
    assert newest([str(folder)], now, [str(tmp_path / "other")]).time < now


def test_a_file_is_read_as_the_server_reads_it() -> None:
    text = "# a = 1\nport = 5432 # why\nLog_Line_prefix = 'it''s %m'\nssl on\nport = '5433'\n"
    assert settings_in(text) == {"port": "5433", "log_line_prefix": "it's %m", "ssl": "on"}


def setting(value: str, kind: str = "integer", unit: str | None = None, **more: str) -> dict[str, str | None]:
    return {"setting": value, "type": kind, "unit": unit, "boot": value, "file": OURS, **more}


RESTARTS = [
    ("shared_buffers = '300MB'", {"shared_buffers": setting("38400", unit="8kB")}, []),
    ("shared_buffers = '301MB'", {"shared_buffers": setting("38400", unit="8kB")}, ["shared_buffers"]),
    ("shared_buffers = 38400", {"shared_buffers": setting("38400", unit="8kB")}, []),
    ("max_connections = '40'", {"max_connections": setting("40")}, []),
    ("max_connections = '50'", {"max_connections": setting("40")}, ["max_connections"]),
    ("huge_pages = 'try'", {"huge_pages": setting("TRY", "enum")}, []),
    ("ssl_library = 'a'", {"ssl_library": setting("b", "string")}, ["ssl_library"]),
    ("hot_standby = true", {"hot_standby": setting("on", "bool")}, []),
    ("hot_standby = no", {"hot_standby": setting("on", "bool")}, ["hot_standby"]),
    ("autovacuum_freeze = '2min'", {"autovacuum_freeze": setting("120", unit="s")}, []),
    ("work_mem = '9MB'", {"max_connections": setting("40", file="")}, []),
    ("", {"max_connections": setting("40", boot="100")}, ["max_connections"]),
    ("", {"max_connections": setting("40", boot="100", file="/etc/other.conf")}, []),
    ("max_connections = 9", {"max_connections": setting("40", file=OURS.replace("10-", "90-"))}, []),
    (
        "max_connections = 9",
        {"max_connections": setting("40", file="/x/postgresql.conf")},
        ["max_connections"],
    ),
]


@pytest.mark.parametrize(("text", "current", "names"), RESTARTS)
def test_which_settings_wait_for_a_restart(text: str, current: Any, names: list[str]) -> None:  # noqa: ANN401
    assert restart_names({OURS: text}, current) == names


@given(st.integers(min_value=1, max_value=1 << 20))
def test_an_amount_is_the_same_in_every_unit(megabytes: int) -> None:
    current = {"shared_buffers": setting(str(megabytes * 128), unit="8kB")}
    for text in (f"{megabytes}MB", f"{megabytes * 1024}kB", str(megabytes * 128)):
        assert restart_names({OURS: f"shared_buffers = '{text}'"}, current) == []
    assert restart_names({OURS: f"shared_buffers = '{megabytes + 1}MB'"}, current) == ["shared_buffers"]
