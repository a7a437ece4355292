"""units as a module, against a small systemd that keeps its units in memory, and the age of real files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias
from unittest import mock

import pytest
from ansible.module_utils.rackwright import systemd, unit_links
from ansible.module_utils.rackwright.command import Outcome
from ansible.module_utils.rackwright.freshness import newest
from ansible.module_utils.rackwright.unit_plan import Unit

RunModule: TypeAlias = Callable[..., dict[str, Any]]


def stamp(moment: float) -> str:
    return time.strftime("Sun %Y-%m-%d %H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1e6):06d} UTC"


class FakeSystemd:
    """Starts, stops and reloads what it was told, and what that pulls in."""

    def __init__(self) -> None:
        self.units: dict[str, dict[str, str]] = {}
        self.told: list[tuple[str, str]] = []
        self.blocked: list[bool] = []
        self.pulls: dict[str, list[str]] = {}
        self.refuses: dict[str, str] = {}
        self.on_reload: dict[str, dict[str, str]] = {}
        self.links: dict[str, str] = {}

    def add(self, name: str, *, running: bool, since: float = 0.0, **more: str) -> None:
        state = {"ActiveState": "active"} if running else {"ActiveState": "inactive"}
        times = dict.fromkeys(
            ("ActiveEnterTimestamp", "StateChangeTimestamp"), stamp(since) if running else ""
        )
        usual = {
            "Id": name,
            "LoadState": "loaded",
            "UnitFileState": "enabled",
            "Type": "simple",
            "CanReload": "yes",
        }
        self.units[name] = {**usual, **state, **times, "Result": "success", "ReloadResult": "success", **more}

    def show(self, names: list[str]) -> list[Unit]:
        unknown = {"LoadState": "not-found", "ActiveState": "inactive"}
        return [Unit(name, dict(self.units.get(name, {"Id": name, **unknown}))) for name in names]

    def tell(self, verb: str, name: str, *, block: bool = True) -> Outcome:
        self.blocked.append(block)
        self.told.append((verb, name))
        unit = self.units[name]
        if self.refuses.get(name) == verb:
            unit.update({"ActiveState": "failed", "Result": "exit-code"})
            return Outcome((), 1, "", "Job failed.")
        if verb in ("start", "restart", "reload"):
            now = stamp(time.time() + 0.01)
            unit.update({"ActiveState": "active", "StateChangeTimestamp": now})
            if verb != "reload":
                unit["ActiveEnterTimestamp"] = now
            for other in self.pulls.get(name, []):
                self.units[other].update({"ActiveState": "active", "StateChangeTimestamp": now})
                self.units[other]["ActiveEnterTimestamp"] = now
        unit.update(
            {"enable": {"UnitFileState": "enabled"}, "stop": {"ActiveState": "inactive"}}.get(verb, {})
        )
        return Outcome((), 0, "", "")

    def tell_files(self, verb: str, name: str) -> Outcome:
        """Change links, of which systemd knows only when it reads its unit files again."""
        self.told.append((verb, name))
        self.links[name] = {"enable": "enabled", "disable": "disabled", "unmask": "disabled"}[verb]
        return Outcome((), 0, "", "")

    def as_on_disk(self, unit: Unit) -> Unit:
        state = self.links.get(unit.identity, unit.get("UnitFileState"))
        return Unit(unit.name, {**unit.properties, "UnitFileState": state})

    def is_behind(self) -> bool:
        return bool(self.links)

    def daemon_reload_later(self) -> None:
        self.told.append(("daemon-reload later", ""))

    def daemon_reload(self) -> None:
        self.told.append(("daemon-reload", ""))
        for name, state in self.links.items():
            self.units[name].update({"UnitFileState": state, "LoadState": "loaded"})
        for name, unit in self.on_reload.items():
            self.units[name] = unit
        for unit in self.units.values():
            unit["NeedDaemonReload"] = "no"


@pytest.fixture
def fake() -> Iterator[FakeSystemd]:
    fake = FakeSystemd()
    replaced = {
        "show": fake.show,
        "tell": fake.tell,
        "daemon_reload": fake.daemon_reload,
        "daemon_reload_later": fake.daemon_reload_later,
        "is_behind": fake.is_behind,
        "tell_files": fake.tell_files,
        "last_words": lambda unit: f"last words of {unit.identity}",
    }
    links = mock.patch.object(unit_links, "as_on_disk", fake.as_on_disk)
    with mock.patch.multiple(systemd, **replaced), links, mock.patch.object(Path, "is_dir", _is_dir):
        yield fake


_real_is_dir = Path.is_dir


def _is_dir(self: Path) -> bool:
    return str(self) == "/run/systemd/system" or _real_is_dir(self)


def item(name: str, **more: object) -> dict[str, Any]:
    return {"name": name, "state": "started", **more}


def actions(result: dict[str, Any]) -> list[str]:
    return [entry["action"] for entry in result["items"]]


def test_check_says_what_is_done_and_the_second_time_nothing_is(
    run_module: RunModule, fake: FakeSystemd, tmp_path: Path
) -> None:
    conf = tmp_path / "conf"
    conf.write_text("")
    hour_ago = time.time() - 3600
    fake.add("old.service", running=True, since=hour_ago)
    fake.add("stale.service", running=True, since=hour_ago)
    fake.add("idle.service", running=False, UnitFileState="disabled")
    fake.add("fine.service", running=True, since=hour_ago)
    wish = {
        "items": [
            item("old.service", restart_after=[str(tmp_path)], reload_after=[str(conf)]),
            item("stale.service", reload_after=[str(conf)]),
            item("idle.service", enabled=True),
            item("fine.service", restart_after=[str(tmp_path / "nothing")]),
        ]
    }
    foreseen = run_module("units", wish, check=True)
    assert fake.told == []
    done = run_module("units", wish)
    assert done["items"] == foreseen["items"]
    assert actions(done) == ["restarted", "reloaded", "started", "none"]
    assert done["items"][2]["actions"] == ["enabled", "started"]
    fake.told.clear()
    again = run_module("units", wish)
    assert not again["changed"]
    assert fake.told == []


def test_what_was_started_along_is_not_restarted(
    run_module: RunModule, fake: FakeSystemd, tmp_path: Path
) -> None:
    hour_ago = time.time() - 3600
    fake.add("first.service", running=True, since=hour_ago)
    fake.add("second.service", running=True, since=hour_ago)
    fake.add("third.service", running=False)
    fake.pulls = {"first.service": ["second.service", "third.service"]}
    newer = [str(tmp_path)]
    wish = {"items": [item(f"{name}.service", restart_after=newer) for name in ("first", "second", "third")]}
    assert actions(run_module("units", wish)) == ["restarted", "none", "none"]
    assert fake.told == [("restart", "first.service")]


def test_an_alias_of_what_was_started_is_not_restarted(
    run_module: RunModule, fake: FakeSystemd, tmp_path: Path
) -> None:
    fake.add("real.service", running=False)
    fake.units["alias.service"] = fake.units["real.service"]
    wish = {"items": [item("alias.service", restart_after=[str(tmp_path)]), item("real.service")]}
    assert actions(run_module("units", wish)) == ["started", "none"]
    assert fake.told == [("start", "real.service")]


def test_links_alone_are_read_later_and_are_not_changed_twice_meanwhile(
    run_module: RunModule, fake: FakeSystemd
) -> None:
    fake.add("idle.service", running=False, UnitFileState="disabled")
    fake.add("former.service", running=False)
    wish = {"items": [item("idle.service", enabled=True), {"name": "former.service", "enabled": False}]}
    assert not run_module("units", wish)["daemon_reload"]
    assert fake.told == [
        ("enable", "idle.service"),
        ("disable", "former.service"),
        ("daemon-reload later", ""),
        ("start", "idle.service"),
    ]
    fake.told.clear()
    assert not run_module("units", wish)["changed"]
    assert not run_module("units", wish, check=True)["changed"]
    assert fake.told == []


def test_what_was_disabled_a_moment_ago_is_enabled_again(run_module: RunModule, fake: FakeSystemd) -> None:
    fake.add("edge.service", running=False)
    run_module("units", {"items": [{"name": "edge.service", "enabled": False}]})
    again = {"items": [{"name": "edge.service", "enabled": True}]}
    assert run_module("units", again, check=True)["changed"]
    assert run_module("units", again)["items"][0]["actions"] == ["enabled"]
    assert fake.links == {"edge.service": "enabled"}
    assert not run_module("units", again)["changed"]


def test_what_was_masked_is_read_at_once(run_module: RunModule, fake: FakeSystemd) -> None:
    fake.add("kept.service", running=False, LoadState="masked", UnitFileState="masked")
    result = run_module("units", {"items": [item("kept.service", masked=False)]})
    assert result["daemon_reload"]
    assert [verb for verb, _ in fake.told] == ["unmask", "daemon-reload", "start"]


def test_unit_files_are_read_again_once(run_module: RunModule, fake: FakeSystemd) -> None:
    fake.add("a.service", running=True, NeedDaemonReload="yes")
    fake.add("b.service", running=True, NeedDaemonReload="yes")
    fake.on_reload = {
        "new.service": {**fake.units["a.service"], "Id": "new.service", "ActiveState": "inactive"}
    }
    wish = {"items": [item("a.service"), item("b.service"), item("new.service")]}
    result = run_module("units", wish)
    assert fake.told == [("daemon-reload", ""), ("start", "new.service")]
    assert result["daemon_reload"]
    assert not run_module("units", wish)["daemon_reload"]


def test_a_unit_that_is_not_there_fails_a_run_but_not_a_check(
    run_module: RunModule, fake: FakeSystemd
) -> None:
    wish = {
        "items": [item("new.service", enabled=True), item("gone.service", state="stopped", enabled=False)]
    }
    foreseen = run_module("units", wish, check=True)
    assert actions(foreseen) == ["started", "none"]
    assert fake.told == []
    result = run_module("units", wish)
    assert result["failed"]
    assert "new.service: systemd knows no such unit" in result["msg"]


def test_what_a_site_had_before_is_ended_where_it_is_there(run_module: RunModule, fake: FakeSystemd) -> None:
    wish = {"items": [item("former.service", state="stopped", enabled=False, former=True)]}
    # Packages of this run do not bring it.
    foreseen = run_module("units", wish | {"foreseen": ["/var/lib/dpkg/info"]}, check=True)
    assert actions(foreseen) == ["none"]
    assert actions(run_module("units", wish)) == ["none"]
    fake.add("former.service", running=True)
    assert run_module("units", wish)["items"][0]["actions"] == ["disabled", "stopped"]


def test_a_failure_carries_the_journal_and_what_was_done_before(
    run_module: RunModule, fake: FakeSystemd
) -> None:
    fake.add("good.service", running=False)
    fake.add("bad.service", running=False, ActiveState="failed")
    fake.refuses = {"bad.service": "start"}
    result = run_module("units", {"items": [item("good.service"), item("bad.service")]})
    assert result["failed"]
    assert result["changed"]
    assert "last words of bad.service" in result["msg"]
    assert ("reset-failed", "bad.service") in fake.told
    assert actions(result) == ["started", "none"]


def test_a_unit_whose_condition_is_not_met_is_reported(run_module: RunModule, fake: FakeSystemd) -> None:
    fake.add("sync.service", running=False, ConditionResult="no", ConditionTimestamp=stamp(1))
    with (
        mock.patch.object(fake, "tell", return_value=Outcome((), 0, "", "")),
        mock.patch.object(systemd, "tell", fake.tell),
    ):
        for check in (True, False):
            result = run_module("units", {"items": [item("sync.service", wait={"port": 1})]}, check=check)
            assert not result["changed"]
            assert result["items"][0]["condition_met"] is False


def test_waiting_ends_with_the_journal(run_module: RunModule, fake: FakeSystemd) -> None:
    fake.add("mute.service", running=True)
    wish = {"items": [item("mute.service", wait={"address": "127.0.0.1", "port": 1, "seconds": 0.2})]}
    result = run_module("units", wish)
    assert "nothing listens on 127.0.0.1:1 after 0.2 s" in result["msg"]
    assert "last words of mute.service" in result["msg"]


def test_the_age_of_a_tree_is_that_of_its_youngest_part(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    file = tmp_path / "conf.d" / "x"
    file.write_text("")
    now = time.time()
    os.utime(file, (now - 50, now - 50))
    os.utime(tmp_path / "conf.d", (now - 90, now - 90))
    os.utime(tmp_path, (now - 90, now - 90))
    found = newest([str(tmp_path), str(tmp_path / "nothing")], now + 5)
    # Its rights, its name and its times were touched just now.
    assert found.path == str(file)
    assert found.time == pytest.approx(file.stat().st_ctime)
    file.unlink()
    removed = newest([str(tmp_path)], now + 5)
    assert removed.path == str(tmp_path / "conf.d")


def test_a_link_is_as_young_as_what_it_leads_to(tmp_path: Path) -> None:
    folder = tmp_path / "enabled"
    folder.mkdir()
    target = tmp_path / "site"
    target.write_text("")
    (folder / "site").symlink_to(target)
    time.sleep(0.02)
    target.write_text("new")
    found = newest([str(folder)], time.time())
    assert found.time == pytest.approx(target.stat().st_mtime)
    (folder / "broken").symlink_to("nowhere")
    assert newest([str(folder / "broken")], time.time()).path == ""


def test_what_claims_to_be_from_the_future_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("")
    os.utime(file, (time.time() + 9999, time.time() + 9999))
    found = newest([str(file)], time.time())
    assert found.time == pytest.approx(file.stat().st_ctime)
