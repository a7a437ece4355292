"""A site's own dashboards: JSON files of a folder of its inventory, checked before any host is touched."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rackwright.catalogue.findings import Finding, FindingsError
from rackwright.dashboards.boards import BOARDS
from rackwright.dashboards.model import Rendered
from rackwright.dashboards.promql import problem
from rackwright.dashboards.schema import problems

FOLDER = "dashboards"
VARIABLE = "grafana_dashboards"
# What Grafana takes as an address.
_UID = re.compile(r"^[A-Za-z0-9_-]{1,40}$")
_OURS = frozenset(board.uid for board in BOARDS)
# Of one file, the first few say what is wrong with the rest.
_MOST = 5


def own(folder: Path) -> list[Rendered]:
    """Return the dashboards of a folder, by file name; none when it is not there.

    Raises:
        FindingsError: A file is no dashboard, or one of its queries no PromQL; all findings at once.
    """
    found: list[Rendered] = []
    findings: list[Finding] = []
    seen: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        content = _read(path, findings)
        if content is None:
            continue
        wrong = list(_wrong(path, content, seen))
        findings += wrong
        if not wrong:
            found.append(Rendered(content["uid"], content["title"], content))
    if findings:
        raise FindingsError(findings)
    return found


def _read(path: Path, findings: list[Finding]) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        findings.append(_finding(path, str(error), "it must be JSON", "export it from Grafana once more"))
        return None
    if not isinstance(content, Mapping):
        hint = "export it from Grafana: Export, Save to file"
        findings.append(_finding(path, type(content).__name__, "it must be one dashboard", hint))
        return None
    if isinstance(content.get("dashboard"), dict) and "panels" not in content:
        # As Grafana's API gives it.
        content = content["dashboard"]
    # Grafana's own number of it, of another Grafana.
    return {key: value for key, value in content.items() if key != "id"}


def _wrong(path: Path, content: Mapping[str, Any], seen: dict[str, str]) -> Iterator[Finding]:
    if "__inputs" in content:
        rule = "it must name its datasources, and it asks for them at import"
        hint = "export it without `Export for sharing externally`; the datasource is rackwright-prometheus"
        yield _finding(path, "__inputs", rule, hint)
        return
    for key in ("uid", "title"):
        if not isinstance(content.get(key), str) or not content[key]:
            yield _finding(path, f"no {key}", f"it must have a {key}", f'write "{key}": "…" into the file')
            return
    uid = content["uid"]
    if not _UID.match(uid):
        yield _finding(path, uid, "a uid has 1 to 40 letters, digits, _ and -", "write another")
    if uid in _OURS or uid in seen:
        whose = "one of ours" if uid in _OURS else f"that of {seen[uid]}"
        yield _finding(path, uid, f"its uid must be its own, and this is {whose}", "write another")
    seen[uid] = path.name
    for sentence in problems(content, strict=False)[:_MOST]:
        hint = "export it from Grafana once more, or mend it by hand"
        yield _finding(path, sentence, "it must be as Grafana's schema says", hint)
    yield from _broken(path, content)


def _broken(path: Path, content: Mapping[str, Any]) -> Iterator[Finding]:
    for panel in _panels(content):
        for target in panel.get("targets") or ():
            expr = target.get("expr") if isinstance(target, Mapping) else None
            kind = _kind(target) or _kind(panel)
            if isinstance(expr, str) and expr and kind in {"prometheus", ""} and (wrong := problem(expr)):
                value = f"panel {panel.get('title', '')!r}: {expr}"
                yield _finding(path, value, f"it must be PromQL: {wrong}", "try it in Prometheus first")


def _kind(thing: object) -> str:
    source = thing.get("datasource") if isinstance(thing, Mapping) else None
    return str(source.get("type", "")) if isinstance(source, Mapping) else ""


def _panels(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    panels = content.get("panels")
    for panel in panels if isinstance(panels, list) else ():
        if isinstance(panel, Mapping):
            yield panel
            yield from _panels(panel)


def _finding(path: Path, value: str, rule: str, hint: str) -> Finding:
    return Finding(VARIABLE, value, rule, hint, str(path))
