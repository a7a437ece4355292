"""A play that had nothing to do is passed over, until anything that it went by is another."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Host

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="modules stay on hosts for root only")

CALLBACKS = str(Path(__file__).parents[3] / "plugins" / "callback")
FACTS: dict[str, Any] = {"host_facts": {}}
PASSED = "as before: here"


class Site:
    """A host, and a playbook whose second play keeps a file."""

    def __init__(self, host: Host, tmp_path: Path) -> None:
        self.host = host
        self.file = tmp_path / "kept" / "made"
        self.outside = tmp_path / "outside" / "text"
        for path in (self.file, self.outside):
            path.parent.mkdir()
        self.outside.write_text("from outside")
        self.task: dict[str, Any] = {
            "managed_files": {"files": [{"dest": str(self.file), "src": str(self.outside)}]}
        }
        self.further: list[dict[str, Any]] = []
        # A checkout that nobody else writes to meanwhile.
        self.root = tmp_path / "checkout"
        for name in ("ansible.cfg", "group_vars/all/services.yml", "roles/one/tasks/main.yml"):
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")

    def run(self, *options: str, **environment: str) -> str:
        """Run it; tell what was printed."""
        environment = {
            "ANSIBLE_CALLBACK_PLUGINS": CALLBACKS,
            "RACKWRIGHT_ROOT": str(self.root),
            **environment,
        }
        return self.host.plays([FACTS], [self.task, *self.further], options=options, **environment)

    def settle(self) -> str:
        """Run it until the host has verified all, and once more, which is remembered."""
        self.run()
        time.sleep(0.6)
        self.run()
        return self.run()


@pytest.fixture
def site(host: Host, tmp_path: Path) -> Site:
    made = Site(host, tmp_path)
    assert PASSED not in made.settle()
    assert PASSED in made.run()
    return made


def test_it_stays_passed_over_and_says_since_when(site: Site) -> None:
    first, second = site.run(), site.run()
    assert PASSED in second
    assert first.split("since ")[1][:19] == second.split("since ")[1][:19]
    assert "changed=0" in second
    assert site.file.read_text() == "from outside"


def test_a_change_by_hand_on_the_host_is_mended(site: Site) -> None:
    site.file.write_text("by hand")
    printed = site.run()
    assert PASSED not in printed
    assert "changed=1" in printed
    assert site.file.read_text() == "from outside"


def test_another_content_of_a_file_from_elsewhere_counts(site: Site) -> None:
    site.outside.write_text("another text")
    assert "changed=1" in site.run()
    assert site.file.read_text() == "another text"


def test_another_playbook_counts(site: Site) -> None:
    site.task["managed_files"]["files"][0]["mode"] = "0600"
    assert "changed=1" in site.run()


def test_another_file_of_the_project_counts_and_its_documents_do_not(site: Site) -> None:
    (site.root / "docs").mkdir()
    (site.root / "docs" / "one.md").write_text("x")
    assert PASSED in site.run()
    (site.root / "roles/one/tasks/main.yml").write_text("---")
    assert PASSED not in site.run()


def test_another_variable_counts(site: Site) -> None:
    assert PASSED not in site.run("-e", "some=thing")


def test_check_mode_is_remembered_by_itself(site: Site) -> None:
    assert PASSED not in site.run("--check")
    assert PASSED in site.run("--check")
    assert PASSED in site.run(), "what was remembered of a real run still holds"


def test_it_can_be_switched_off(site: Site) -> None:
    assert PASSED not in site.run("-e", "rackwright_trust_state=false")
    assert PASSED not in site.run("-e", "rackwright_trust_state=false")


def test_without_the_cache_all_is_gone_through(site: Site, tmp_path: Path) -> None:
    assert PASSED not in site.run(RACKWRIGHT_CACHE=str(tmp_path / "other"))
    (kept,) = (tmp_path / "cache" / "plays").iterdir()
    kept.write_text("{")
    assert PASSED not in site.run()
    assert PASSED in site.run()
    kept.chmod(0o666)
    assert PASSED not in site.run(), "anybody may have written that"


@pytest.mark.parametrize(
    "task",
    [
        {"ansible.builtin.command": "true", "changed_when": False},
        {"ansible.builtin.stat": {"path": "/"}},
        {"ansible.builtin.set_fact": {"public": 1}},
        {"ansible.builtin.group_by": {"key": "some"}, "changed_when": False},
        {"ansible.builtin.assert": {"that": "true"}, "register": "public"},
        {
            "ansible.builtin.copy": {"content": "x", "dest": "/dev/null"},
            "delegate_to": "localhost",
            "changed_when": False,
        },
        {"ansible.builtin.fail": {}, "ignore_errors": True},
    ],
)
def test_a_play_that_asks_or_leaves_something_is_not_passed_over(
    host: Host, tmp_path: Path, task: dict[str, Any]
) -> None:
    site = Site(host, tmp_path)
    site.further = [task]
    site.settle()
    assert PASSED not in site.run()


@pytest.mark.parametrize(
    "task",
    [
        {"ansible.builtin.assert": {"that": "true", "quiet": True}, "register": "__inner"},
        {"ansible.builtin.set_fact": {"__inner": 1}},
        {"ansible.builtin.command": "true", "when": "1 == 2"},
        {"ansible.builtin.debug": {"msg": "x"}},
    ],
)
def test_a_play_that_reckons_for_itself_is(host: Host, tmp_path: Path, task: dict[str, Any]) -> None:
    site = Site(host, tmp_path)
    site.further = [task]
    site.settle()
    assert PASSED in site.run()


def test_a_host_that_was_changed_before_in_the_run_is_not_passed_over(site: Site) -> None:
    printed = site.host.plays(
        [FACTS],
        [{"ansible.builtin.command": "true"}],
        [site.task],
        ANSIBLE_CALLBACK_PLUGINS=CALLBACKS,
        RACKWRIGHT_ROOT=str(site.root),
    )
    assert PASSED not in printed
