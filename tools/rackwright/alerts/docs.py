"""The pages on alerts and receivers, as Markdown, from the rules themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

from rackwright.alerts.model import Alert, project_alerts
from rackwright.alerts.receivers import Receiver, Route
from rackwright.site.yaml_files import read_yaml

SETTINGS = "group_vars/all/observability.yml"
# What an operator sees in a message stands for what is only known then.
_TEMPLATE = re.compile(r"\{\{\s*\$labels\.(\w+)\s*\}\}")
_VALUE = re.compile(r"\{\{\s*\$value[^}]*\}\}")
_SUBJECTS = {
    "app": "What users see",
    "backup": "Backups",
    "gpu": "GPUs",
    "host": "Machines",
    "inference": "Models and containers",
    "logs": "Logs",
    "site": "Every service, and the watch itself",
    "stores": "PostgreSQL, MariaDB and Redis",
}


def alerts_page(root: Path) -> str:
    """Return a section for each subject: each alert with when, meaning, impact, first command and runbook."""
    settings = read_yaml(root / SETTINGS)
    words = settings["alert_thresholds"]["default"] | {"first_token_seconds": "the tier's promise"}
    durations = settings["alert_durations"]
    parts = []
    for subject, alerts in project_alerts().items():
        parts.append(f"## {_SUBJECTS.get(subject, subject)}\n")
        parts += [_alert(alert, words, durations) for alert in alerts]
    return "\n".join(parts)


def thresholds_table(root: Path) -> str:
    """Return the thresholds with their defaults, and what tiers change."""
    settings = read_yaml(root / SETTINGS)["alert_thresholds"]
    tiers = {name: values for name, values in settings.items() if name != "default"}
    rows = ["| Threshold | Default | Tiers |", "| --- | --- | --- |"]
    for name, value in settings["default"].items():
        shown = "the tier's promise" if "{{" in str(value) else f"`{value}`".replace("|", "\\|")
        changed = ", ".join(f"{tier} {values[name]}" for tier, values in tiers.items() if name in values)
        rows.append(f"| `{name}` | {shown} | {changed} |")
    return "\n".join(rows) + "\n"


def receivers_table() -> str:
    """Return the keys of a receiver and of a route."""
    rows = ["| Key | Meaning |", "| --- | --- |"]
    rows += [f"| `{name}` | {field.description} |" for name, field in Receiver.model_fields.items()]
    rows += [
        f"| `alert_routes[].{name}` | {field.description} |" for name, field in Route.model_fields.items()
    ]
    return "\n".join(rows) + "\n"


def _alert(alert: Alert, words: Mapping[str, object], durations: Mapping[str, str]) -> str:
    meaning = Template(_VALUE.sub("…", _TEMPLATE.sub(r"*\1*", alert.meaning))).safe_substitute(words)
    command = _TEMPLATE.sub(r"<\1>", alert.first).replace("{{`", "").replace("`}}", "")
    expr = " ".join(Template(alert.expr).safe_substitute(words).replace("$$", "$").split())
    wait = durations[alert.for_]
    return (
        f"### {alert.alert}\n\n"
        f"{alert.zh} · {alert.severity} · "
        f"{'at once' if wait == '0s' else f'after {wait}'}. {meaning} {alert.impact}\n\n"
        f"First: `{command}`; then [the runbook](runbooks/{alert.runbook}.md).\n\n"
        f"```\n{expr}\n```\n"
    )
