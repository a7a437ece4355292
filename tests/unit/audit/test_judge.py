"""What passes an audit and what does not, and that the report can be read in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from rackwright.audit.confinement import judge_confinement
from rackwright.audit.judge import judge_host, judge_tls
from rackwright.audit.model import Audit, Item, both, controls, data
from rackwright.audit.report import as_dict, as_html, as_markdown, words_of

GOOD: dict[str, Any] = {
    "listening": [
        {"protocol": "tcp", "address": "10.0.10.11", "port": 443, "process": "nginx"},
        {"protocol": "tcp", "address": "127.0.0.1", "port": 6010, "process": "sshd"},
    ],
    "units": {"nginx.service": 2.5, "ssh.service": 9.6},
    "lynis": {"index": 86, "warnings": [], "suggestions": []},
    "sshd": {"passwordauthentication": "no", "permitrootlogin": "no", "permitemptypasswords": "no"},
    "secrets": [
        {
            "path": "/etc/rackwright/tls/nginx/key.pem",
            "owner": "root",
            "group": "root",
            "mode": "0640",
            "private": True,
        },
        {
            "path": "/etc/rackwright/a.json",
            "owner": "root",
            "group": "root",
            "mode": "0644",
            "private": False,
        },
    ],
    "certificates": [{"path": "/etc/rackwright/tls/nginx/cert.pem", "subject": "CN=a", "days": 90}],
    "containers": [{"name": "a", "image": "a@sha256:1"}],
    "auditd": "active",
    "tls": {},
    "apparmor": {"lacking": "", "units": [], "containers": []},
}


def failed(change: dict[str, Any]) -> set[str]:
    """Return the checks that fail on a host that is good but for a change."""
    return {item.check for item in judge_host("edge1", GOOD | change, {443}, []) if item.status == "fail"}


def test_a_good_host_passes() -> None:
    assert failed({}) == set()


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (
            {"listening": [{"protocol": "tcp", "address": "*", "port": 8000, "process": "python3"}]},
            "listeners",
        ),
        ({"units": {"nginx.service": 9.2}}, "units"),
        ({"lynis": {"index": 84, "warnings": [], "suggestions": []}}, "lynis"),
        ({"sshd": GOOD["sshd"] | {"passwordauthentication": "yes"}}, "sshd"),
        ({"secrets": [GOOD["secrets"][0] | {"mode": "0644"}]}, "secrets"),
        (
            {"secrets": [GOOD["secrets"][0] | {"path": "/run/traefik/tls/edge.pem", "mode": "0604"}]},
            "secrets",
        ),
        ({"certificates": [{"path": "/a/cert.pem", "subject": "", "days": 13}]}, "certificates"),
        ({"containers": [{"name": "a", "image": "a:latest"}]}, "versions"),
        ({"auditd": "inactive"}, "recorder"),
    ],
)
def test_each_weakness_fails_its_check(change: dict[str, Any], check: str) -> None:
    assert failed(change) == {check}


REDIS = {
    "service": "redis",
    "profile": "rackwright.redis",
    "units": ["redis-server.service"],
    "mode": "enforce",
}


def confinement(profile: str, mode: str, wanted: str = "enforce", lacking: str = "") -> list[str]:
    """Return how a host is judged whose Redis runs under a profile."""
    unit = {"unit": "redis-server.service", "profile": profile, "mode": mode}
    seen = {"lacking": lacking, "units": [] if lacking else [unit], "containers": []}
    return [item.status for item in judge_confinement("data1", seen, [REDIS | {"mode": wanted}])]


def test_a_profile_counts_as_the_kernel_has_it() -> None:
    assert confinement("rackwright.redis", "enforce") == ["pass"]
    assert confinement("unconfined", "") == ["fail"]
    assert confinement("rackwright.redis", "complain") == ["fail"], "the site wants it enforced"
    assert confinement("rackwright.redis", "complain", wanted="complain") == ["warn"]
    assert confinement("rackwright.redis", "enforce", wanted="complain") == ["pass"]


def test_a_kernel_without_apparmor_is_told_as_such() -> None:
    assert confinement("", "", lacking="its kernel has no AppArmor") == ["warn"]
    seen = {"lacking": "its kernel has no AppArmor", "units": [], "containers": []}
    (item,) = judge_confinement("data1", seen, [])
    assert (item.status, item.detail["zh"]) == ("none", "无法实施：内核不含 AppArmor")


def test_containers_keep_docker_s_own() -> None:
    shown = [{"name": "a", "profile": "docker-default"}, {"name": "b", "profile": "unconfined"}]
    found = judge_confinement("app1", {"lacking": "", "units": [], "containers": shown}, [])
    assert [(item.detail["en"], item.status) for item in found][1:] == [
        ("a: docker-default", "pass"),
        ("b: unconfined", "fail"),
    ]


def test_a_certificate_of_a_service_that_is_gone_is_to_be_removed_and_never_overdue() -> None:
    left = {"path": "/etc/rackwright/tls/nginx/cert.pem", "subject": "CN=a", "days": -3}
    kept = {"path": "/etc/rackwright/tls/redis/cert.pem", "subject": "CN=b", "days": 90}
    seen = GOOD | {"certificates": [left, kept]}
    found = [
        item for item in judge_host("e", seen, {443}, [], gone={"nginx"}) if item.check == "certificates"
    ]
    assert [item.status for item in found] == ["warn", "pass"]
    assert "/etc/rackwright/tls/nginx is left of nginx" in found[0].detail["en"]
    overdue = [item.status for item in judge_host("e", seen, {443}, []) if item.check == "certificates"]
    assert overdue == ["fail", "pass"]


def test_exceptions_of_both_kinds_are_told_with_their_reasons() -> None:
    given = [{"rule": "tmp-options", "reason": "x"}, {"service": "redis", "mode": "complain", "reason": "y"}]
    found = [item for item in judge_host("edge1", GOOD, {443}, given) if item.check == "exceptions"]
    assert [item.detail["en"] for item in found] == ["tmp-options: x", "AppArmor redis: complain: y"]


def test_what_the_sites_own_authority_explains_is_told_and_passes_with_no_other() -> None:
    findings = [
        {"id": "cert_chain_of_trust", "severity": "CRITICAL", "finding": "self signed"},
        {"id": "BREACH", "severity": "MEDIUM", "finding": "gzip"},
    ]
    explained, graver = [{"tls": {"a:443": findings[:1]}}, {"tls": {"a:443": findings}}]

    assert [item.status for item in judge_tls("e", explained, own_authority=True)] == ["pass"]
    assert [item.status for item in judge_tls("e", explained, own_authority=False)] == ["fail"]
    assert [item.status for item in judge_tls("e", graver, own_authority=True)] == ["fail"]
    assert [item.status for item in judge_tls("e", {"tls": None}, own_authority=True)] == ["none"]


def test_controls_name_checks_that_there_are_and_titles_in_both_languages() -> None:
    known = set(data()["checks"])
    for control in controls():
        assert set(control.checks) <= known, control
        assert control.title["en"]
        assert control.title["zh"]
    assert set(words_of("en")) == set(words_of("zh"))


def test_a_control_is_as_good_as_the_worst_that_speaks_for_it() -> None:
    items = (Item("tls", "e", "pass", both("a", "a")), Item("certificates", "e", "fail", both("<b>", "<b>")))
    audit = Audit("test", ("e",), items)

    assert audit.status(["tls", "certificates"]) == "fail"
    assert audit.status(["zones"]) == "none"
    assert not audit.passed
    assert as_dict(audit)["checks"]["tls"]["status"] == "pass"
    for language in ("en", "zh"):
        assert "&lt;b&gt;" in as_html(audit, language)
        assert words_of(language)["fail"] in as_markdown(audit, language)
