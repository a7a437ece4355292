"""The files of a site, from its answers. The same answers give the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from rackwright.catalogue.inference import FALLBACK, GROUP, VARIABLE, engine_of
from rackwright.hardware.model import Hardware
from rackwright.hardware.store import render as hardware_text
from rackwright.init.answers import Answers
from rackwright.init.layout import PURPOSES, ZONES, Layout
from rackwright.site.paths import repository_root

# Text that YAML reads as that same text without quotes.
_PLAIN = re.compile(r"^([A-Za-z/~][A-Za-z0-9_./~@-]*|\d+\.\d+\.\d+\.\d+(/\d+)?)$")
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"})
_WIDTH = 140
# Engines of which a file of the site asks for image and models.
WITH_TEMPLATE = ("llama_cpp", "ollama", "vllm")
# Variables of llama.cpp, which stand in its file.
MODEL_VARIABLES = ("llama_cpp_image", "llama_cpp_model", "llama_cpp_context", "llama_cpp_parallel")


class _Indented(yaml.SafeDumper):
    """Indents lists under their key, as yamllint wants it."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's interface
        return True


def render_site(
    answers: Answers, layout: Layout, tier: str, hardware: Mapping[str, Hardware]
) -> dict[Path, bytes]:
    """Return the content of every file of a site by its path in the site's directory.

    Args:
        answers: The answers.
        layout: Where the hosts stand, from `lay_out`.
        tier: The site's tier.
        hardware: What is known of hosts' hardware, by name.
    """
    environment = _environment()
    values = {
        "answers": answers,
        "layout": layout,
        "tier": tier,
        "groups": PURPOSES,
        "zones": _zone_comments(),
        "users": answers.users,
        "models": {name: answers.variables[name] for name in MODEL_VARIABLES if name in answers.variables},
        "more": {name: value for name, value in answers.variables.items() if name not in MODEL_VARIABLES},
    }
    files = {
        path: environment.get_template(template).render(values)
        for path, template in _templates(answers, engines_of(answers, layout, tier, hardware))
    }
    for host in layout.hosts:
        if host.answer.memory_mb or host.answer.cpus:
            text = environment.get_template("machine.yml.j2").render(host=host.answer)
            files[Path("host_vars") / host.answer.name / "machine.yml"] = text
        if host.answer.name in hardware:
            # As `rackwright scan` writes it, so that the first scan of such a machine changes nothing.
            text = hardware_text(host.answer.name, hardware[host.answer.name])
            files[Path("host_vars") / host.answer.name / "hardware.yml"] = text
    return {path: text.encode() for path, text in sorted(files.items())}


def engines_of(
    answers: Answers, layout: Layout, tier: str, hardware: Mapping[str, Hardware]
) -> tuple[str, ...]:
    """Return the engines of a site's hosts, each once; one whose image a template knows how to ask for."""
    given = str(answers.variables.get(VARIABLE, ""))
    # A tier that does not exist is told by what checks the finished site.
    tier_engine = str(_project("tiers").get(tier, {}).get("inference", {}).get("engine", ""))
    found: dict[str, None] = {}
    for host in layout.members(GROUP):
        about = hardware.get(host.answer.name)
        known: dict[str, Any] = {VARIABLE: given}
        if about is not None:
            known["hardware"] = {"gpus": list(about.gpus)}
        found[engine_of(known, tier_engine)] = None
    # Where its variables are among the answers, they need a place.
    if not found or set(answers.variables) & set(MODEL_VARIABLES):
        found[FALLBACK] = None
    return tuple(found)


def _templates(answers: Answers, engines: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    yield Path("hosts.yml"), "hosts.yml.j2"
    names = ["site", "network", "connection", *(name for name in engines if name in WITH_TEMPLATE)]
    if set(answers.variables) - set(MODEL_VARIABLES):
        names.append("more")
    for name in names:
        yield Path("group_vars/all") / f"{name}.yml", f"group_vars/{name}.yml.j2"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("rackwright.init"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # What is written is YAML; nothing of it is shown by a browser.
        autoescape=False,  # noqa: S701
    )
    environment.filters |= {"scalar": scalar, "flow": flow, "block": block}
    return environment


def scalar(value: object) -> str:
    """Return a scalar as YAML writes it: text in quotes unless it reads as the same text without."""
    if isinstance(value, str):
        if _PLAIN.match(value) and value.lower() not in _NOT_TEXT:
            return value
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(yaml.safe_dump(value).removesuffix("...\n").strip())


def flow(values: list[str]) -> str:
    """Return a list on one line."""
    return "[" + ", ".join(scalar(value) for value in values) + "]"


def block(value: Mapping[str, Any]) -> str:
    """Return a mapping as lines of YAML, in its own order."""
    return yaml.dump(
        dict(value),
        Dumper=_Indented,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=_WIDTH,
    )


def _zone_comments() -> dict[str, str]:
    policy = _project("zones", "zone_policy")
    return {zone: f"{policy[zone]['title']}: {policy[zone]['description']}" for zone in ZONES}


def _project(name: str, variable: str | None = None) -> dict[str, Any]:
    path = repository_root() / "group_vars/all" / f"{name}.yml"
    return dict(yaml.safe_load(path.read_text(encoding="utf-8"))[variable or name])
