"""A plan in words, as a page, and as an exit status."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from rackwright.cli import plan as command_module
from rackwright.operations.events import Recap
from rackwright.operations.runner import Run
from rackwright.plan import make
from rackwright.plan.model import Difference, Downtime, HostPlan, Item, Plan, ServicePlan, Trouble
from rackwright.plan.page import plan_page
from rackwright.plan.text import print_plan

UNIT = Item("unit", "redis-server.service", "restarted", "/etc/redis/redis.conf is newer than its start")
FILE = Item("file", "/etc/redis/redis.conf", "changed", "content", Difference("a\nb\n", "a\n<c>\nd\n"))
MANY = tuple(Item("package", f"p{number}", "installed", "1") for number in range(9))
SOME = Plan(
    (
        HostPlan("data1", (ServicePlan("redis", (FILE, UNIT)), ServicePlan("packages", MANY))),
        HostPlan("ops1", ()),
    ),
    (Downtime("data1", "redis", 1.6, "restarted", "one restart of this host", ("app",)),),
    (),
    ("data1, postgresql: what it holds could not be asked",),
)
NOTHING = Plan((HostPlan("data1", ()), HostPlan("ops1", ())))
AWAY = Plan(SOME.hosts, (), (Trouble("ops1", "unreachable", "ask", "no [route]"),))


def told(plan: Plan, **options: bool) -> str:
    out = io.StringIO()
    print_plan(Console(file=out, width=110), plan, **options)
    return out.getvalue()


def test_the_summary_comes_first() -> None:
    lines = told(SOME).splitlines()
    assert lines[:5] == [
        "11 changes on 1 of 2 hosts",
        "  services  1 restart",
        "  downtime  at most about 1.6 s of one service",
        "            redis on data1  about 1.6 s; app waits for it (one restart of this host)",
        "  reboots   none",
    ]
    assert "nothing to do on ops1" in lines


def test_like_items_share_a_line_and_differences_are_shown_on_request() -> None:
    short, long = told(SOME), told(SOME, diff=True)
    assert "    installed 9 packages  p0, p1, p2 and 6 more" in short.splitlines()
    assert "    changed   file /etc/redis/redis.conf  +2 -1 lines" in short.splitlines()
    assert "+<c>" not in short
    assert "+<c>" in long
    assert "package p8" in long


def test_nothing_to_do_is_said_in_one_line() -> None:
    assert told(NOTHING) == "Nothing to do: 2 hosts as the inventory says.\n"


def test_what_could_not_be_asked_is_said() -> None:
    assert "UNREACHABLE ops1" in told(AWAY)
    assert "no [route]" in told(AWAY)


def test_the_page_escapes_and_fetches_nothing() -> None:
    page = plan_page(SOME)
    assert "+&lt;c&gt;" in page
    assert "<c>" not in page
    assert "src=" not in page
    assert "href=" not in page
    assert "prefers-color-scheme:dark" in page
    assert "no [route]" in plan_page(AWAY)


@pytest.mark.parametrize(("plan", "status"), [(NOTHING, 0), (SOME, 2), (AWAY, 1)])
def test_the_exit_status(plan: Plan, status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = Run("site.yml", "successful", 0, 1.0, Recap(), tmp_path / "log")
    asked: list[dict[str, Any]] = []

    def fake(_inventories: object, **options: object) -> tuple[Plan, Run]:
        asked.append(options)
        return plan, run

    monkeypatch.setattr(make, "make_plan", fake)
    page = tmp_path / "plan.html"
    arguments = ["-i", str(tmp_path), "--json", "--limit", "data1", "--tags", "redis", "--html", str(page)]
    answer = CliRunner().invoke(command_module.command, arguments)
    assert answer.exit_code == status
    assert json.loads(answer.output)["summary"]["exit_code"] == status
    assert asked == [{"limit": "data1", "tags": "redis"}]
    assert page.exists()


@pytest.mark.parametrize("arguments", [["--nonsense"], ["-i", "/nonexistent"], ["stray"]])
def test_a_wrong_command_line_is_not_drift(arguments: list[str]) -> None:
    assert CliRunner().invoke(command_module.command, arguments).exit_code == 1
