"""What was seen on one host, judged: one function for each check."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from rackwright.audit.confinement import judge_confinement
from rackwright.audit.model import Item, Status, both, data

Seen = Mapping[str, Any]
LONGEST_EXPOSURE, LEAST_INDEX = 3.0, 85
LEAST_DAYS, MOST_DAYS = 14, 398
_CERTIFICATES = "/etc/rackwright/tls/"
_TLS_WORSE = frozenset({"MEDIUM", "HIGH", "CRITICAL", "FATAL"})
# Not services: what every system has listen for its own needs.
_OWN = frozenset({"systemd-resolve", "chronyd", "dhclient", "systemd-network"})


def judge_host(
    host: str,
    seen: Seen,
    declared: set[int],
    exceptions: Sequence[Mapping[str, str]],
    profiles: Sequence[Mapping[str, Any]] = (),
    gone: Collection[str] = (),
) -> Iterator[Item]:
    """Yield everything that is found on a host.

    Args:
        host: Its name.
        seen: What the module host_audit returned.
        declared: Ports that the catalogue has listen there.
        exceptions: Its `hardening_exceptions` and `hardening_apparmor_exceptions`.
        profiles: The AppArmor profiles that the site wants there, as `rackwright.confinement` tells them.
        gone: Services of the catalogue that the host does not have: nobody renews what they left.
    """
    yield from _listeners(host, seen, declared)
    yield from _units(host, seen)
    yield from _lynis(host, seen)
    yield from _sshd(host, seen)
    yield from _secrets(host, seen)
    yield from _certificates(host, seen, gone)
    yield from _containers(host, seen)
    yield from _recorder(host, seen)
    yield from judge_confinement(host, seen["apparmor"], profiles)
    for entry in exceptions:
        subject = entry.get("rule") or f"AppArmor {entry.get('service')}: {entry.get('mode')}"
        text = f"{subject}: {entry.get('reason')}"
        yield Item("exceptions", host, "warn", both(text, text))


def _listeners(host: str, seen: Seen, declared: set[int]) -> Iterator[Item]:
    strange = []
    for socket in seen["listening"]:
        address = "0.0.0.0" if socket["address"] in {"*", ""} else socket["address"]  # noqa: S104 - compared
        if ipaddress.ip_address(address).is_loopback or socket["process"] in _OWN:
            continue
        if socket["port"] not in declared:
            strange.append(f"{socket['process'] or '?'} {address}:{socket['port']}/{socket['protocol']}")
    names = ", ".join(sorted(set(strange)))
    yield _item("listeners", host, not strange, names, "only declared ports", "仅声明的端口")


def _units(host: str, seen: Seen) -> Iterator[Item]:
    reasons = data()["unit_reasons"]
    for unit, exposure in seen["units"].items():
        if exposure is None:
            yield Item("units", host, "none", both(f"{unit}: not assessed", f"{unit}：未评估"))
        elif exposure <= LONGEST_EXPOSURE:
            yield Item("units", host, "pass", both(f"{unit}: {exposure}", f"{unit}：{exposure}"))
        elif unit in reasons:
            why = reasons[unit]
            text = both(f"{unit}: {exposure}; {why['en']}", f"{unit}：{exposure}；{why['zh']}")
            yield Item("units", host, "pass", text)
        else:
            yield Item("units", host, "fail", both(f"{unit}: {exposure}", f"{unit}：{exposure}"))


def _lynis(host: str, seen: Seen) -> Iterator[Item]:
    found = seen["lynis"]
    if not found or found["index"] is None:
        yield Item("lynis", host, "none", both("Lynis is not installed", "未安装 Lynis"))
        return
    index, warnings = found["index"], found["warnings"]
    text = f"{index}; {len(found['suggestions'])} suggestions"
    chinese = f"{index}；建议 {len(found['suggestions'])} 条"
    yield Item("lynis", host, "pass" if index >= LEAST_INDEX else "fail", both(text, chinese))
    for warning in warnings:
        text = f"{warning['test']}: {warning['text']}"
        yield Item("lynis", host, "warn", both(text, text))


def _sshd(host: str, seen: Seen) -> Iterator[Item]:
    wanted = {"passwordauthentication": "no", "permitrootlogin": "no", "permitemptypasswords": "no"}
    given = seen["sshd"]
    if not given:
        yield Item("sshd", host, "none", both("sshd did not answer", "sshd 未应答"))
        return
    wrong = [f"{name} {given.get(name)}" for name, value in wanted.items() if given.get(name) != value]
    yield _item("sshd", host, not wrong, ", ".join(wrong), "keys only", "仅密钥")


def _secrets(host: str, seen: Seen) -> Iterator[Item]:
    secrets = [entry for entry in seen["secrets"] if _is_secret(entry)]
    open_files = [f"{entry['path']} {entry['mode']}" for entry in secrets if int(entry["mode"], 8) & 0o007]
    good = f"{len(secrets)} files"
    yield _item("secrets", host, not open_files, ", ".join(open_files), good, good.replace("files", "个文件"))


def _is_secret(entry: Seen) -> bool:
    name = entry["path"].rsplit("/", 1)[-1]
    named = name == "key.pem" or any(word in name for word in ("password", "secret", "token", "htpasswd"))
    return named or bool(entry["private"])


def _certificates(host: str, seen: Seen, gone: Collection[str]) -> Iterator[Item]:
    for entry in seen["certificates"]:
        directory, service = entry["path"].rsplit("/", 2)[:2]
        if f"{directory}/" == _CERTIFICATES and service in gone:
            left = f"{directory}/{service}"
            en = f"{left} is left of {service}, which is not here any more: remove it"
            zh = f"{left} 为已不在此主机的 {service} 所遗留，请删除"
            yield Item("certificates", host, "warn", both(en, zh))
            continue
        authority = entry["path"].endswith(("ca.pem", "clients.pem", "server.pem"))
        days = entry["days"]
        status: Status = "pass"
        if days < LEAST_DAYS:
            status = "fail"
        elif days > MOST_DAYS and not authority:
            status = "warn"
        text = both(f"{entry['path']}: {days} days", f"{entry['path']}：{days} 天")
        yield Item("certificates", host, status, text)


def _containers(host: str, seen: Seen) -> Iterator[Item]:
    moving = [
        f"{entry['name']} {entry['image']}"
        for entry in seen["containers"]
        if "@sha256:" not in entry["image"] and not entry["image"].startswith("sha256:")
    ]
    good = f"{len(seen['containers'])} containers"
    yield _item("versions", host, not moving, ", ".join(moving), good, f"{len(seen['containers'])} 个容器")


def _recorder(host: str, seen: Seen) -> Iterator[Item]:
    state = seen["auditd"]
    if state == "container":
        text = both("a container: the machine under it records", "容器：由宿主机记录")
        yield Item("recorder", host, "none", text)
        return
    yield _item("recorder", host, state == "active", f"auditd {state}", "active", "运行中")


def judge_tls(host: str, seen: Seen, own_authority: bool) -> Iterator[Item]:
    """Yield testssl.sh's findings above LOW; those that a site's own authority explains are told."""
    if not seen["tls"]:
        yield Item("tls", host, "none", both("testssl.sh did not run", "testssl.sh 未运行"))
        return
    explained = set(data()["testssl_own_authority"]) if own_authority else set()
    for target, findings in seen["tls"].items():
        bad = [entry for entry in findings if entry.get("severity") in _TLS_WORSE]
        grave = [entry for entry in bad if str(entry["id"]).split(" ")[0] not in explained]
        for entry in grave:
            text = f"{target} {entry['id']}: {entry['finding']} ({entry['severity']})"
            yield Item("tls", host, "fail", both(text, text))
        told = ", ".join(sorted({str(entry["id"]) for entry in bad if entry not in grave}))
        why = (
            both(f"; by the site's own authority: {told}", f"；源于自有 CA：{told}") if told else both("", "")
        )
        if findings and not grave:
            count = len(findings)
            en, zh = f"{target}: {count} tests{why['en']}", f"{target}：{count} 项测试{why['zh']}"
            yield Item("tls", host, "pass", both(en, zh))
        elif not findings:
            yield Item("tls", host, "none", both(f"{target}: no report", f"{target}：无报告"))


def _item(check: str, host: str, good: bool, bad_text: str, en: str, zh: str) -> Item:
    return Item(check, host, "pass" if good else "fail", both(en, zh) if good else both(bad_text, bad_text))
