"""What the double of Elasticsearch takes of templates, policies, roles and users: what is documented."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from common import RefusedError

Json = dict[str, Any]


def refuse(reason: str, kind: str = "x_content_parse_exception", status: int = 400) -> RefusedError:
    """Return the refusal in Elasticsearch's form."""
    return RefusedError(status, {"error": {"type": kind, "reason": reason}, "status": status})


def only(given: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Refuse a key that is not documented."""
    for name in sorted(set(given) - set(known)):
        raise refuse(f"[{where}] unknown field [{name}]")


def check(kind: str, body: Json, known: Json) -> None:
    """Refuse an object that Elasticsearch would refuse."""
    checks = {
        "_ilm/policy": _policy,
        "_index_template": _template,
        "_snapshot": _repository,
        "_slm/policy": _snapshots,
        "_security/role": _role,
        "_security/user": _user,
    }
    checks[kind](body, known)


def _policy(body: Json, known: Json) -> None:
    only(body, ["policy"], "put_lifecycle_request")
    only(body["policy"], ["phases", "_meta", "deprecated"], "lifecycle_policy")
    for name, phase in body["policy"]["phases"].items():
        if name not in known["phases"]:
            raise refuse(
                f"Timeseries lifecycle does not support phase [{name}]", "illegal_argument_exception"
            )
        only(phase, ["min_age", "actions"], "phase")
        only(phase.get("actions", {}), known["phases"][name], f"actions of {name}")


def _template(body: Json, known: Json) -> None:
    only(
        body,
        ["index_patterns", "priority", "template", "composed_of", "version", "_meta", "data_stream"],
        "index_template",
    )
    template = body.get("template", {})
    only(template, ["settings", "mappings", "aliases", "lifecycle"], "template")
    only(template.get("settings", {}), ["index"], "settings")
    only(template.get("settings", {}).get("index", {}), known["index_settings"], "index settings")
    only(
        template.get("mappings", {}),
        ["dynamic", "properties", "_source", "date_detection", "_meta"],
        "mappings",
    )
    _properties(template.get("mappings", {}).get("properties", {}), known)


def _properties(properties: Json, known: Json) -> None:
    for name, about in properties.items():
        if "properties" in about:
            only(about, ["properties", "dynamic", "type"], name)
            _properties(about["properties"], known)
            continue
        kind = about.get("type")
        if kind not in known["mapping_types"]:
            raise refuse(
                f"No handler for type [{kind}] declared on field [{name}]", "mapper_parsing_exception"
            )
        only(about, ["type", *known["mapping_types"][kind]], name)


def _repository(body: Json, known: Json) -> None:
    only(body, ["type", "settings"], "repository")
    if body["type"] not in known["repository_types"]:
        raise refuse(f"repository type [{body['type']}] does not exist", "repository_exception", 500)
    only(body["settings"], known["repository_types"][body["type"]], "settings")


def _snapshots(body: Json, known: Json) -> None:
    only(body, known["slm"], "snapshot_lifecycle_policy")
    only(body.get("config", {}), known["slm_config"], "config")
    only(body.get("retention", {}), known["slm_retention"], "retention")


def _role(body: Json, known: Json) -> None:
    only(body, ["cluster", "indices", "applications", "run_as", "metadata", "global", "description"], "role")
    for name in body.get("cluster", []):
        if name not in known["cluster_privileges"]:
            raise refuse(f"unknown cluster privilege [{name}]", "illegal_argument_exception")
    for entry in body.get("indices", []):
        only(entry, ["names", "privileges", "query", "field_security", "allow_restricted_indices"], "indices")
        for name in entry["privileges"]:
            if name not in known["index_privileges"]:
                raise refuse(f"unknown index privilege [{name}]", "illegal_argument_exception")


def _user(body: Json, _: Json) -> None:
    only(body, ["password", "password_hash", "roles", "full_name", "email", "metadata", "enabled"], "user")
    if len(body.get("password", "")) < 6:
        raise refuse("passwords must be at least [6] characters long", "validation_exception")


def shown(kind: str, name: str, body: Json) -> Json:
    """Return an object as a GET shows it."""
    if kind == "_index_template":
        return {"index_templates": [{"name": name, "index_template": {"composed_of": [], **body}}]}
    if kind == "_ilm/policy":
        return {name: {"version": 1, "modified_date": "2026-01-01T00:00:00.000Z", **body, "in_use_by": {}}}
    if kind == "_slm/policy":
        return {name: {"version": 1, "modified_date_millis": 0, "policy": body}}
    if kind == "_security/user":
        rest = {key: value for key, value in body.items() if key != "password"}
        return {
            name: {
                "username": name,
                "full_name": None,
                "email": None,
                "metadata": {},
                "enabled": True,
                **rest,
            }
        }
    return {name: body}
