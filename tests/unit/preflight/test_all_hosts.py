"""What only all hosts together show; acceptance; table, JSON and page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preflight_sample import answer, seen, subject
from rich.console import Console

from rackwright.catalogue.findings import Finding
from rackwright.errors import RackwrightError
from rackwright.preflight.checks import CHECKS
from rackwright.preflight.finding import HostFinding
from rackwright.preflight.judge import RANK, count, judge, read_answer
from rackwright.preflight.observations import Answer
from rackwright.preflight.report import as_dict, as_html
from rackwright.preflight.run import Report
from rackwright.preflight.table import as_table, input_table, summary
from rackwright.site.paths import repository_root
from rackwright.site.variables import SiteVariables

NAMES = ("data1", "data2", "data3")
SUBJECTS = {name: subject("redis", name=name) for name in NAMES}
HOSTILE = HostFinding(
    "error", "data1", "ports", "<script>alert(1)</script>", "a & b", "[bold]not markup[/bold]"
)


def machines(**changes: dict[str, object]) -> list[Answer]:
    """Three sound machines of their own, but for the changes."""
    return [
        answer(seen(**({"hostname": name, "machine_id": name} | changes.get(name, {}))), name)
        for name in NAMES
    ]


def bad(answers: list[Answer], accept: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
    found = judge(SUBJECTS, answers, accept)
    return [(entry.host, entry.severity, entry.check) for entry in found if entry.severity != "ok"]


def test_three_machines_of_their_own() -> None:
    assert bad(machines()) == []


def test_one_machine_under_two_names() -> None:
    twice = machines(data2={"machine_id": "data1", "hostname": "data1"})
    assert bad(twice) == [
        ("data1", "error", "machine"),
        ("data2", "error", "machine"),
        ("data2", "info", "hostname"),
    ]


def test_a_copied_machine() -> None:
    other = [
        {"name": "eth0", "up": True, "addresses": ["10.0.30.11/24", "10.0.30.12/24"], "speed_mbps": None}
    ]
    found = bad(machines(data2={"machine_id": "data1", "boot_id": "other", "interfaces": other}))
    assert found == [("data1", "warning", "machine"), ("data2", "warning", "machine")]


def test_two_machines_of_one_name() -> None:
    found = bad(machines(data2={"hostname": "data1"}))
    assert ("data1", "warning", "hostname") in found
    assert ("data2", "warning", "hostname") in found


def test_a_host_without_an_answer_does_not_hide_the_others() -> None:
    answers = [Answer("data1", problem="Connection refused"), *machines(data3={"systemd": False})[1:]]
    assert bad(answers) == [("data1", "error", "reachable"), ("data3", "error", "systemd")]


def test_the_worst_comes_first() -> None:
    found = bad(machines(data1={"cgroup_version": 1, "systemd": False, "hostname": "x"}))
    assert [entry[1] for entry in found] == ["error", "warning", "info"]


@pytest.mark.parametrize(
    ("accept", "left"),
    [((), 2), (("systemd",), 0), (("data1:systemd",), 1), (("data3:systemd", "clock"), 2)],
)
def test_what_the_site_accepts_becomes_a_warning(accept: tuple[str, ...], left: int) -> None:
    answers = machines(data1={"systemd": False}, data2={"systemd": False})
    findings = judge(SUBJECTS, answers, accept)
    assert count(findings)["error"] == left
    assert count(findings)["error"] + count(findings)["warning"] == 2
    assert all("preflight_accept" in finding.mend for finding in findings if finding.severity == "warning")


@pytest.mark.parametrize(
    ("entry", "good"), [("ports", True), ("data1:ports", True), ("prots", False), ("data1", False)]
)
def test_only_checks_can_be_accepted(entry: str, good: bool) -> None:
    base = {
        "site_name": "s",
        "domain": "s.example.org",
        "tier": "lab",
        "zones": {"app": {"cidr": "10.0.0.0/24"}},
        "management_sources": ["10.0.0.1/32"],
    }
    if good:
        assert SiteVariables.model_validate(base | {"preflight_accept": [entry]}).preflight_accept == [entry]
    else:
        with pytest.raises(ValueError, match="did you mean ports" if entry == "prots" else "check of docs"):
            SiteVariables.model_validate(base | {"preflight_accept": [entry]})


def test_an_answer_of_another_version_is_refused() -> None:
    with pytest.raises(RackwrightError, match="not understood"):
        read_answer("data1", {"observations": {"os": "debian-13"}, "window": [1, 2]})


def test_ansibles_own_words_are_the_problem() -> None:
    said = read_answer("data1", {"unreachable": True, "msg": "Failed to connect", "module_stderr": "refused"})
    assert said.problem == "Failed to connect\nrefused"


def test_every_check_has_a_name() -> None:
    found = judge(SUBJECTS, machines())
    assert {finding.check for finding in found} <= set(CHECKS)


def page(width: int, findings: list[HostFinding], everything: bool = False) -> str:
    output = StringIO()
    Console(file=output, width=width).print(as_table(findings, everything=everything))
    return output.getvalue()


def test_the_table_keeps_to_its_width_and_tells_all() -> None:
    findings = judge(SUBJECTS, machines(data1={"os": "debian-11"}))
    text = page(110, findings)
    assert max(map(len, text.splitlines())) <= 110
    words = " ".join(text.split())
    error = next(finding for finding in findings if finding.severity == "error")
    for part in ("data1 1 error", error.found, error.needed, error.mend):
        assert part in words
    assert "data2" not in text
    assert "data2" in page(110, findings, everything=True)


def test_markup_in_what_hosts_say_is_text() -> None:
    assert "[bold]not markup[/bold]" in page(200, [HOSTILE])


def test_the_input_in_the_same_form() -> None:
    output = StringIO()
    Console(file=output, width=110).print(
        input_table([Finding("tier", "huge", "no such tier", "write entry")])
    )
    assert "tier = huge" in output.getvalue()
    assert "write entry" in output.getvalue()


def test_the_closing_line() -> None:
    findings = judge(SUBJECTS, machines(data1={"systemd": False}, data2={"cgroup_version": 1}))
    passed = count(findings)["ok"]
    assert (
        summary(findings, 3) == f"3 hosts: 1 error, 1 warning, 0 to know, {passed} passed. Not ready: data1."
    )
    assert summary(judge(SUBJECTS, machines()), 3).endswith("Ready.")


def test_json_has_everything() -> None:
    findings = judge(SUBJECTS, machines(data1={"systemd": False}))
    report = Report("lab", tuple(findings), 3, 1.234)
    data = json.loads(json.dumps(as_dict([], report)))
    assert (data["passed"], data["hosts"], data["seconds"]) == (False, 3, 1.23)
    assert sum(data["summary"].values()) == len(data["findings"]) == len(findings)
    assert data["findings"][0] == {
        "severity": "error",
        "host": "data1",
        "check": "systemd",
        "found": "another init",
        "needed": "systemd",
        "mend": "boot with it: every service is one of its units",
    }


def test_json_of_a_refused_input() -> None:
    data = as_dict([Finding("tier", "huge", "no such tier", "write entry")], None)
    assert (data["passed"], data["hosts"], data["input"][0]["variable"]) == (False, 0, "tier")


def test_the_page_needs_nothing_and_runs_nothing() -> None:
    text = as_html([], Report("lab", (HOSTILE,), 1, 1.0))
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert not re.search(r"""(src|href)=|@import|url\(""", text)
    assert "prefers-color-scheme: dark" in text


def test_the_page_begins_with_the_host_that_needs_most() -> None:
    findings = judge(SUBJECTS, machines(data2={"cgroup_version": 1}, data3={"systemd": False}))
    text = as_html([], Report("lab", tuple(findings), 3, 1.0))
    assert re.findall(r"<h2>(\w+)</h2>", text) == ["data3", "data2", "data1"]


def test_the_page_of_a_refused_input() -> None:
    text = as_html([Finding("tier", "huge", "no such tier", "write entry")], None)
    assert "no such tier" in text
    assert "No host was asked" in text


@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(sorted(RANK)), st.text(max_size=300)), max_size=12
    )
)
def test_whatever_is_found_can_be_shown(entries: list[tuple[str, str, str]]) -> None:
    plain = HostFinding("ok", "", "ports", "", "", "")
    findings = [
        replace(plain, host=host, severity=severity, found=text, needed=text, mend=text)  # type: ignore[arg-type]
        for host, severity, text in entries
    ]
    page(110, findings, everything=True)
    as_html([], Report("lab", tuple(findings), 3, 1.0))
    assert sum(count(findings).values()) == len(entries)


def test_the_page_of_the_docs_has_every_check() -> None:
    text = (repository_root() / "docs/preflight.md").read_text(encoding="utf-8")
    assert [check for check in CHECKS if f"`{check}`" not in text] == []
