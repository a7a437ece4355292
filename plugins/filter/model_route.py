"""What the model route needs: who serves which model, and what is wrong with its settings."""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from rackwright.edge.wording import number_problems, problem

DOCUMENTATION = r"""
name: model_route_upstreams
short_description: Groups the instances of engines by what they serve
description:
  - Models of the same instances share an upstream, so that least_conn counts all requests of an instance.
positional: _input
options:
  _input:
    description: The instances (C(host_plan.inference)).
    type: list
    elements: dict
    required: true
author: [Rackwright]
"""

EXAMPLES = r"""
# [{"name": "model_tiny", "engine": "llama_cpp", "scheme": "http", "servers": ["192.0.2.1:80"],
#   "models": ["tiny"]}]
upstreams: "{{ engines | model_route_upstreams }}"
engines: [{engine: llama_cpp, base_url: "http://192.0.2.1:80/v1", models: [tiny]}]
"""

RETURN = r"""
_value:
  description: The upstreams, each C({name, engine, scheme, servers, models}).
  type: list
  elements: dict
"""

# Of nginx, of JavaScript and of logs: nothing that any of them would read as its own.
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}")
# Written into a regular expression of nginx.
_KEY = re.compile(r"[A-Za-z0-9_-]{32,200}")
# Written between quotes of nginx.
_ENGINE_KEY = re.compile(r"[!#%-\[\]-~]{16,200}")
_HIGHEST_PORT = 65535
# Least and most, and what to write.
_NUMBERS = {
    "model_route_rate": (1, 100_000, 10),
    "model_route_burst": (0, 100_000, 20),
    "model_route_body_limit_mb": (1, 256, 8),
    "model_route_connect_timeout": (1, 75, 2),
    "model_route_read_timeout": (1, 86_400, 300),
    "model_route_fail_seconds": (1, 3_600, 10),
    "model_route_workers": (1, 256, 2),
    "model_route_worker_connections": (64, 1_000_000, 4_096),
}

Upstream = dict[str, Any]
Server = tuple[str, str, str]


def model_route_upstreams(instances: Sequence[Mapping[str, Any]]) -> list[Upstream]:
    """Return the upstreams: instances that serve the same models, together.

    Args:
        instances: Each has `engine`, `base_url` and `models`; one that names no model is left out.
    """
    served: dict[str, list[Server]] = defaultdict(list)
    for instance in instances:
        address = urlsplit(str(instance["base_url"]))
        for model in instance.get("models") or ():
            served[str(model)].append((str(instance["engine"]), address.scheme, address.netloc))
    together: dict[tuple[Server, ...], list[str]] = defaultdict(list)
    for model, servers in served.items():
        together[tuple(dict.fromkeys(servers))].append(model)
    names: set[str] = set()
    return [
        {
            "name": _name(min(models), names),
            "engine": servers[0][0],
            "scheme": servers[0][1],
            "servers": [server[2] for server in servers],
            "models": sorted(models),
        }
        for servers, models in together.items()
    ]


def _name(model: str, taken: set[str]) -> str:
    """Return a name that nginx takes, after the model, that no other has."""
    plain = re.sub(r"[^a-z0-9]+", "_", model.lower()).strip("_") or "model"
    name, number = f"model_{plain}", 2
    while name in taken:
        name, number = f"model_{plain}_{number}", number + 1
    taken.add(name)
    return name


def _numbers(settings: Mapping[str, Any]) -> Iterator[str]:
    return number_problems(settings, _NUMBERS)


def _listening(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, listen in settings.get("model_route_listen", {}).items():
        variable, port = f"model_route_listen.{name}", listen.get("port")
        try:
            ipaddress.ip_address(str(listen.get("address")))
        except ValueError:
            yield problem(
                f"{variable}.address", listen.get("address"), "is no IP address", "the host's zone address"
            )
        if not str(port).isdecimal() or not 1024 <= int(port) <= _HIGHEST_PORT:  # noqa: PLR2004 - root's ports end there
            yield problem(
                f"{variable}.port", port, "is no port that a user may open", "a number from 1024 to 65535"
            )


def _networks(settings: Mapping[str, Any]) -> Iterator[str]:
    for value in settings.get("model_route_unlimited_networks", []):
        try:
            ipaddress.ip_network(str(value))
        except ValueError as error:
            yield problem(
                "model_route_unlimited_networks",
                value,
                f"is no network ({error})",
                "for example 10.0.20.11/32",
            )


def _keys(settings: Mapping[str, Any]) -> Iterator[str]:
    hint = "let `rackwright secrets init` draw one"
    if "model_route_api_key" in settings and not _KEY.fullmatch(str(settings["model_route_api_key"])):
        rule = "must be 32 to 200 letters, digits, hyphens and underscores"
        yield f"model_route_api_key (not shown): {rule}; {hint}"
    for engine, key in settings.get("model_route_engine_keys", {}).items():
        if key and not _ENGINE_KEY.fullmatch(str(key)):
            rule = "must be 16 to 200 printable characters without spaces, quotes, backslashes and $"
            yield f"model_route_engine_keys.{engine} (not shown): {rule}; {hint}"


def _engines(settings: Mapping[str, Any]) -> Iterator[str]:
    if "model_route_engines" not in settings:
        return
    instances = settings["model_route_engines"]
    if not any(instance.get("models") for instance in instances):
        rule = "no engine names a model that it serves"
        instead = "hosts into the group `inference`, and the models that their engines serve"
        yield problem("model_route_engines", len(instances), rule, instead)
    kinds: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for instance in instances:
        address = urlsplit(str(instance.get("base_url")))
        if address.scheme not in {"http", "https"} or address.path != "/v1" or not address.hostname:
            yield problem(
                "model_route_engines",
                instance.get("base_url"),
                "is no address of an OpenAI API",
                "base_url: http://<address>:<port>/v1",
            )
        for model in instance.get("models") or ():
            kinds[str(model)].add((str(instance.get("engine")), address.scheme))
    for model, found in kinds.items():
        if not _MODEL.fullmatch(model):
            rule = "a model's name holds letters, digits and . _ : / @ + - only"
            yield problem("model_route_engines", model, rule, "the name that the engine serves it by")
        if len(found) > 1:
            engines = ", ".join(sorted(engine for engine, _ in found))
            rule = f"is served by engines of different kinds ({engines}), which have different keys"
            yield problem(
                "model_route_engines", model, rule, "another name for the model on one of the engines"
            )


_CHECKS = (_numbers, _listening, _networks, _keys, _engines)


def model_route_problems(settings: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the role's variables, one sentence for each; empty when all is well.

    Args:
        settings: The role's variables by name; one that is missing is not looked at.
    """
    return [problem for check in _CHECKS for problem in check(settings)]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "model_route_upstreams": model_route_upstreams,
            "model_route_problems": model_route_problems,
        }
