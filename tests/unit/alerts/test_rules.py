"""Every alert fires on its bad series and not on healthy ones, says promtool; what rules name is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from rackwright.alerts.model import EVERY, RULES, Alert, project_alerts
from rackwright.alerts.promql import problem
from rackwright.alerts.render import Words, expression, rule_files, words_of
from rackwright.site.paths import repository_root

ROOT = repository_root()
DATA = ROOT / "tests/data/alerts"
SUBJECTS = project_alerts()
ALERTS = {alert.alert: alert for alerts in SUBJECTS.values() for alert in alerts}
COMMON = {
    "site": "s",
    "tier": "lab",
    "zone": "app",
    "host": "h1",
    "service": "x",
    "job": "j",
    "instance": "i",
}


def settings() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(
        (ROOT / "group_vars/all/observability.yml").read_text(encoding="utf-8")
    )
    found["alert_thresholds"]["default"]["first_token_seconds"] = 4
    return found


def words() -> Words:
    given = settings()
    return words_of(given["alert_thresholds"], "lab", {}, given["alert_durations"], "docs/runbooks/")


def series(given: dict[str, str]) -> list[dict[str, str]]:
    found = []
    for name, values in given.items():
        metric, _, labels = name.partition("{")
        own = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        shown = ",".join(f'{key}="{value}"' for key, value in {**COMMON, **own}.items())
        found.append({"series": f"{metric}{{{shown}}}", "values": str(values)})
    return found


def cases(name: str, data: dict[str, Any]) -> list[dict[str, Any]]:
    fired = f'ALERTS{{alertname="{name}",alertstate="firing"}}'
    found = []
    for kind, given in data.items():
        if kind in {"at", "always"}:
            continue
        fires = kind.endswith("bad")
        found.append(
            {
                "interval": "1m",
                "name": f"{name}: {kind}",
                "input_series": series(given),
                "promql_expr_test": [
                    {
                        # On healthy ones it must not have fired at any time.
                        "expr": f"count({fired}) > bool 0" if fires else f"count_over_time({fired}[2h])",
                        "eval_time": data.get("at", "60m"),
                        "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
                    }
                ],
            }
        )
    return found


def promtool(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    assert program, "promtool is not installed: make packages"
    return subprocess.run(
        [program, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rules")
    for subject, text in rule_files(SUBJECTS, words()).items():
        (folder / f"{subject}.yml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("subject", sorted(SUBJECTS))
def test_promtool_takes_the_rules(written: Path, subject: str) -> None:
    done = promtool("check", "rules", f"{subject}.yml", cwd=written)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("subject", sorted(SUBJECTS))
def test_each_alert_fires_on_its_bad_series_and_on_no_healthy_one(written: Path, subject: str) -> None:
    data = yaml.safe_load((DATA / f"{subject}.yml").read_text(encoding="utf-8"))
    assert set(data) == {alert.alert for alert in SUBJECTS[subject]}
    tests = []
    for name, given in data.items():
        assert any(kind.endswith("bad") for kind in given), name
        assert given.get("always") or any(kind.endswith("good") for kind in given), name
        tests += cases(name, given)
    text = {"rule_files": [f"{subject}.yml"], "evaluation_interval": "1m", "tests": tests}
    (written / f"{subject}.test.yml").write_text(yaml.safe_dump(text), encoding="utf-8")
    done = promtool("test", "rules", f"{subject}.test.yml", cwd=written)
    assert done.returncode == 0, done.stdout + done.stderr


def test_names_are_unique() -> None:
    assert len(ALERTS) == sum(map(len, SUBJECTS.values()))


@pytest.mark.parametrize("alert", ALERTS.values(), ids=list(ALERTS))
def test_what_an_alert_names_is_there(alert: Alert) -> None:
    assert problem(expression(alert, words())) == ""
    assert (ROOT / f"docs/runbooks/{alert.runbook}.md").is_file()
    assert not re.search(r"\$(?!labels|value)\w+", alert.impact + alert.first), (
        "only meaning knows thresholds"
    )
    catalogue = yaml.safe_load((ROOT / "group_vars/all/services.yml").read_text(encoding="utf-8"))["services"]
    assert set(alert.about) - {EVERY} <= set(catalogue)


def test_every_threshold_is_read_by_a_rule() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in RULES.glob("*.yml"))
    unread = [name for name in settings()["alert_thresholds"]["default"] if f"${name}" not in text]
    assert unread == []
