"""The edge's configuration, judged: nginx' by gixy, HAProxy's and Traefik's by rules of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from rackwright.audit import haproxy, traefik
from rackwright.audit.model import Item, Weakness, both, data

CHECK = "edge"
NGINX = "/etc/nginx/nginx.conf"
# What serves files behind an engine that serves none.
FILES = "/etc/rackwright/edge-files/nginx.conf"
_HAPROXY = "/etc/haproxy/haproxy.cfg"
_TRAEFIK = ("/etc/traefik/traefik.yml", "/etc/traefik/edge.yml")
_GIXY_WORSE = frozenset({"LOW", "MEDIUM", "HIGH"})
Files = Mapping[str, str]
Findings = Sequence[Mapping[str, Any]]


def judge_edge(
    host: str, engine: str, files: Files, gixy: Callable[[str], Findings | None]
) -> Iterator[Item]:
    """Yield what is found in the configuration of a host's edge.

    Args:
        host: Its name.
        engine: The site's edge_engine.
        files: Path -> text, of what the host showed.
        gixy: Reads a configuration of nginx; None when it could not.
    """
    if engine in _READERS:
        yield from _own_rules(host, engine, files)
    path = FILES if engine in _READERS else NGINX
    yield from judge_gixy(host, path, gixy(files[path]) if files.get(path) else None)


def judge_gixy(host: str, path: str, findings: Findings | None) -> Iterator[Item]:
    """Yield gixy's findings in a file; those with a written reason pass, with it."""
    if findings is None:
        yield Item(CHECK, host, "warn", both(f"{path}: gixy did not read it", f"{path}：gixy 未能读取"))
        return
    reasons = data()["gixy_reasons"]
    grave = [entry for entry in findings if entry.get("severity") in _GIXY_WORSE]
    for entry in grave:
        plugin = str(entry["plugin"])
        text = f"{path}: {plugin}: {entry.get('summary')} ({entry['severity']})"
        if plugin in reasons:
            why = reasons[plugin]
            yield Item(CHECK, host, "pass", both(f"{text}; {why['en']}", f"{text}；{why['zh']}"))
        else:
            yield Item(CHECK, host, "fail", both(text, text))
    if not grave:
        yield Item(CHECK, host, "pass", both(f"{path}: no finding (gixy)", f"{path}：没有问题（gixy）"))


def _own_rules(host: str, engine: str, files: Files) -> Iterator[Item]:
    paths, read = _READERS[engine]
    names = ", ".join(paths)
    if not all(files.get(path) for path in paths):
        yield Item(CHECK, host, "warn", both(f"{names}: could not be read", f"{names}：未能读取"))
        return
    rules = data()["edge_rules"]
    try:
        found = list(read([files[path] for path in paths]))
    except (yaml.YAMLError, AttributeError, TypeError):
        yield Item(CHECK, host, "warn", both(f"{names}: could not be understood", f"{names}：无法解析"))
        return
    for weakness in found:
        rule = rules[weakness.rule]
        english = f"{names}: {rule['en']}: {weakness.where}"
        yield Item(CHECK, host, "fail", both(english, f"{names}：{rule['zh']}：{weakness.where}"))
    if not found:
        english = f"{names}: {len(rules)} rules, no finding; gixy reads nginx alone, these rules are our own"
        chinese = f"{names}：{len(rules)} 条规则，没有问题；gixy 仅能读取 nginx 配置，此处为平台自有规则"
        yield Item(CHECK, host, "pass", both(english, chinese))


def _haproxy(texts: Sequence[str]) -> Iterator[Weakness]:
    return haproxy.weaknesses(texts[0])


def _traefik(texts: Sequence[str]) -> Iterator[Weakness]:
    static, dynamic = (yaml.safe_load(text) for text in texts)
    return traefik.weaknesses(static, dynamic)


# By engine: its files, and who reads them.
_READERS: Mapping[str, tuple[tuple[str, ...], Callable[[Sequence[str]], Iterator[Weakness]]]] = {
    "haproxy": ((_HAPROXY,), _haproxy),
    "traefik": (_TRAEFIK, _traefik),
}
