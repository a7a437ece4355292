"""Logstash's pipelines: what each makes of a line, and that nothing in them is undocumented.

The double's reader of the language and its filters stand for Logstash's own.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rackwright.site.paths import repository_root

ROOT = repository_root()
ROLE, DOUBLES = ROOT / "roles/logstash", ROOT / "tests/doubles"
VARIABLES: dict[str, Any] = yaml.safe_load((ROLE / "vars/main.yml").read_text(encoding="utf-8"))
KINDS: list[str] = VARIABLES["__logstash_kinds"]
NAMES = [*KINDS, *VARIABLES["__logstash_secret"]]
KNOWN = yaml.safe_load((DOUBLES / "logs/logstash.documented.yml").read_text(encoding="utf-8"))
HOME = VARIABLES["__logstash_home"]


def rendered(name: str) -> str:
    environment = Environment(
        loader=FileSystemLoader(ROLE / "templates"),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - files for Logstash, no HTML
    )
    environment.filters |= {"comment": "# {}".format, "to_json": lambda value: str(value).replace("'", '"')}
    return environment.get_template(f"etc/rackwright/logstash/pipelines/{name}.conf.j2").render(
        ansible_managed="Managed",
        logstash_shipper_password="s" * 40,
        logstash_password="p" * 40,
        logstash_elasticsearch=["https://10.0.40.11:9200"],
        logstash_index="ai-platform",
        __logstash_home=HOME,
    )


@pytest.fixture(scope="module", name="double")
def fixture_double() -> ModuleType:
    sys.path[:0] = [str(DOUBLES / "engines"), str(DOUBLES / "logs")]
    return importlib.import_module("logstash")


def line(message: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of any kind
    log = {"source": more.pop("source", "file"), "stream": "/var/log/x", "position": 0}
    if "level" in more:
        log["level"] = more.pop("level")
    service = more.pop("service", "redis")
    return {"message": message, "log": log, "service": {"name": service}, "event": {"id": "1"}, **more}


def through(double: ModuleType, name: str, event: dict[str, Any]) -> list[Any]:
    """Take an event through a pipeline; return the outputs that it leaves by."""
    run: Any = sys.modules["pipeline_run"]
    text = double.read(rendered(name))
    pipeline, leaving = run.Pipeline.__new__(run.Pipeline), dict[int, Any]()
    pipeline._through(text.sections["filter"], event, None)
    pipeline._through(text.sections["output"], event, leaving)
    return [plugin for plugin, _ in leaving.values()]


@pytest.mark.parametrize("name", NAMES)
def test_every_plugin_and_option_is_documented(
    double: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_file", lambda _: True)
    text = double.checked(double.read(rendered(name)), KNOWN, name)
    assert text.plugins("input")


def test_settings_are_documented() -> None:
    assert set(VARIABLES["__logstash_configuration"]) <= {*KNOWN["settings"], *KNOWN["pipeline_settings"]}
    own = {key for settings in VARIABLES["__logstash_own"].values() for key in settings}
    assert own <= set(KNOWN["pipeline_settings"])


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (line(service="nginx"), "nginx"),
        (line(service="nginx", source="container"), "docker"),
        (line(service="postgresql"), "postgres"),
        (line(service="app"), "audit"),
        (line(service="app", source="journal"), "app"),
        (line(service="sshd", source="journal"), "journald"),
        (line(service="redis"), "journald"),
    ],
)
def test_each_kind_of_line_has_its_pipeline_and_all_lead_to_the_store(
    double: ModuleType, event: dict[str, Any], kind: str
) -> None:
    (way,) = through(double, "intake", event)
    assert way.options["send_to"] == [kind]
    (way,) = through(double, kind, event)
    assert way.options["send_to"] == ["store"]
    (way,) = through(double, "store", event)
    assert (way.name, way.options["action"]) == ("elasticsearch", "create")


PREFIX = "2026-11-26 23:05:23.123 UTC [42] app@ai_platform 10.0.20.11 "


@pytest.mark.parametrize(
    ("kind", "event", "level"),
    [
        ("nginx", line(fields={"status": 502}), "error"),
        ("nginx", line(fields={"status": "404"}), "warning"),
        ("nginx", line(fields={"status": 200}), "info"),
        ("nginx", line("2026/11/26 23:05:23 [crit] 42#42: *1 SSL_do_handshake() failed"), "critical"),
        ("nginx", line("2026/11/26 23:05:23 [error] 42#42: *1 upstream timed out"), "error"),
        ("nginx", line("2026/11/26 23:05:23 [notice] 42#42: signal process started"), "info"),
        ("nginx", line("nginx: [emerg] bind() failed", level="error"), "error"),
        ("postgres", line(f'{PREFIX}ERROR:  relation "x" does not exist'), "error"),
        ("postgres", line(f"{PREFIX}FATAL:  password authentication failed"), "critical"),
        ("postgres", line(f"{PREFIX}LOG:  checkpoint complete: ERROR: none"), "info"),
        ("postgres", line("\tSELECT 'ERROR:  '"), None),
        ("audit", line(fields={"status": 401}), "warning"),
        ("audit", line(fields={"user": "ann"}), "notice"),
        ("app", line("", level="warning"), "warning"),
        ("app", line("Traceback (most recent call last):"), "error"),
        ("app", line("psycopg.errors.UndefinedTable: relation does not exist"), "info"),
        ("app", line("ValueError: no"), "error"),
        ("journald", line("started", level="notice"), "notice"),
        ("journald", line("1:M 26 Nov ERROR no memory"), "error"),
        ("docker", line('time="x" level=error msg="no"'), "error"),
        ("docker", line("WARNING: slow"), "warning"),
        ("docker", line("no errors were found"), "info"),
    ],
)
def test_how_grave_a_line_is(double: ModuleType, kind: str, event: dict[str, Any], level: str | None) -> None:
    through(double, kind, event)
    assert event["log"].get("level") == level


def test_what_is_refused_comes_again_without_its_fields_and_from_nowhere_else(double: ModuleType) -> None:
    event = line(fields={"a": 1}, tags=["x"]) | {"@version": "1"}
    (way,) = through(double, "refused", event)
    assert set(event) == {"message", "log", "service", "event"}
    assert way.options["document_id"] == "%{[event][id]}"
    (plugin,) = double.read(rendered("refused")).plugins("input")
    assert plugin.options["pipeline_id"] == "store"


@pytest.mark.parametrize("name", KINDS)
def test_no_password_is_in_the_files_that_everybody_may_read(name: str) -> None:
    assert "password" not in rendered(name)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('input { pipeline { address => x } } output { pipeline { send_to => ["x"] }', "Expected"),
        (
            'input { htpp { port => 1 } } output { pipeline { send_to => ["x"] } }',
            "Couldn't find any input plugin",
        ),
        ('input { http { prot => 1 } } output { pipeline { send_to => ["x"] } }', "Unknown setting 'prot'"),
        ("input { http { port => 1 } } output { pipeline { } }", "Missing a required setting"),
        ("input { http { port => 1 } }", "no input, or no output"),
        (
            "input { dead_letter_queue { path => x clean_consumed => true } } output { elasticsearch { } }",
            "requires commit_offsets",
        ),
    ],
)
def test_the_double_refuses_what_logstash_would(
    double: ModuleType, text: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((SystemExit, sys.modules["pipeline_language"].LanguageError)) as refused:
        double.checked(double.read(text), KNOWN, "p")
    assert told in capsys.readouterr().err + str(refused.value)
