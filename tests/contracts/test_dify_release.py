"""What roles/dify says, held against the release's own facts (tests/data/dify/release.yml)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rackwright.containers.compose import project
from rackwright.containers.definition import parse as parse_container
from rackwright.dify.containers import NAMES, containers, migration
from rackwright.dify.options import SERVICES, Options, parse

Facts = Mapping[str, Any]
IMAGE = {"name": f"dify@sha256:{'a' * 64}"}


@pytest.fixture(scope="module")
def facts(root: Path) -> Facts:
    found: Facts = yaml.safe_load((root / "tests/data/dify/release.yml").read_text(encoding="utf-8"))
    return found


def options(**changes: object) -> Options:
    """A site's words, with a secret of its own in every place."""

    def key(name: str) -> str:
        return f"{name}-{'k' * 40}"

    database = {"host": "10.0.30.11", "port": 5432, "name": "dify", "user": "dify", "password": key("db")}
    redis = {
        "host": "10.0.30.11", "port": 6379, "user": "dify", "password": key("redis"),
        "plugin_user": "dify_plugin", "plugin_password": key("redis-plugin"),
    }  # fmt: skip
    given: dict[str, object] = {
        "url": "https://dify.example.com",
        "address": "10.0.20.11",
        "data_directory": "/var/lib/rackwright-dify",
        "database": database,
        "plugin_database": database
        | {"name": "dify_plugin", "user": "dify_plugin", "password": key("plugin-db")},
        "redis": redis,
        "vector_store": {"kind": "pgvector"},
        "secrets": {
            "init_password": "i" * 30,
            **{
                name: key(name)
                for name in ("secret_key", "sandbox_key", "plugin_daemon_key", "inner_api_key")
            },
        },
        "limits": {name: {"memory_mb": 256, "cpus": 1} for name in SERVICES},
        "signature_keys": True,
    }
    return parse(given | changes)


STORE = {"kind": "qdrant", "urls": ["https://10.0.30.12:6333"], "api_key": "q" * 40, "replicas": 2}
BUCKET = {
    "kind": "s3", "endpoint": "https://10.0.30.13:9000", "bucket": "dify", "access_key": "bucket-account",
    "secret_key": "s" * 40,
}  # fmt: skip
SITES = {"folder": options(), "stores": options(vector_store=STORE, storage=BUCKET)}


def rendered(site: Options) -> dict[str, dict[str, Any]]:
    """Service -> what `container_service` is told of it."""
    return {item["service"]: item["definition"] for item in containers(site)}


def environment(definition: Mapping[str, Any]) -> dict[str, str]:
    return {**definition.get("environment", {}), **definition.get("secret_environment", {})}


def programs(facts: Facts) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for program in facts["variables"].values():
        for service in program["services"]:
            yield service, program


def test_every_service_of_the_release_is_ours_or_has_a_reason_why_not(facts: Facts) -> None:
    ours = {about["ours"] for about in facts["services"].values() if "ours" in about}
    assert ours == set(SERVICES) == set(NAMES)
    for name, about in facts["services"].items():
        assert ("ours" in about) != ("not_needed" in about), name
        assert "ours" in about or len(about["not_needed"].split()) >= 3, f"{name}: say why"


@pytest.mark.parametrize("site", SITES.values(), ids=list(SITES))
def test_every_variable_of_the_release_is_told_or_has_a_reason_why_not(facts: Facts, site: Options) -> None:
    told = rendered(site)
    for service, program in programs(facts):
        given = environment(told[service])
        assert set(program["told"]) - set(given) == set(), f"{service} is not told what the release needs"
        known = {*program["told"], *program.get("chosen", ()), *program.get("beside", ())}
        assert set(given) - known == set(), f"{service} is told what the release does not know"
        for names, reason in program["left"].items():
            assert len(reason.split()) >= 2, f"{names}: say why"


def test_what_is_chosen_is_told_by_some_site(facts: Facts) -> None:
    for service, program in programs(facts):
        given = {name for site in SITES.values() for name in environment(rendered(site)[service])}
        if service != "beat":
            assert set(program.get("chosen", ())) - given == set(), service


@pytest.mark.parametrize("site", SITES.values(), ids=list(SITES))
def test_every_volume_of_the_release_is_mounted_or_has_a_reason_why_not(facts: Facts, site: Options) -> None:
    told = rendered(site)
    for about in facts["services"].values():
        if "ours" not in about:
            continue
        mounted = {volume["target"] for volume in told[about["ours"]].get("volumes", ())}
        wanted = set(about["volumes"])
        if site.storage.kind == "s3":
            # Uploads are in the bucket then.
            wanted.discard("/app/api/storage")
        assert wanted - mounted == set(), about["ours"]
        assert all(len(reason.split()) >= 2 for reason in about.get("left_volumes", {}).values())
        if "port" in about:
            ports = [port["container_port"] for port in told[about["ours"]]["ports"]]
            assert ports == [about["port"]]


@pytest.mark.parametrize("site", SITES.values(), ids=list(SITES))
def test_no_default_secret_of_the_release_survives(facts: Facts, site: Options) -> None:
    for definition in (*rendered(site).values(), migration(site)["definition"]):
        for name, value in definition.get("secret_environment", {}).items():
            known = [published for published in facts["published"].values() if published in value]
            assert known == [], f"{name} is what everybody knows"
        assert not set(definition.get("environment", {})) & set(facts["published"])
    for service, program in programs(facts):
        given = environment(rendered(site)[service])
        for name in facts["published"]:
            # A variable that this program reads, and whose default everybody knows, is said, or never read.
            if name in program["told"]:
                assert given[name], f"{service}: {name}"
            elif name in program.get("chosen", ()):
                assert name in given or given.get("VECTOR_STORE") != "qdrant" or name != "QDRANT_API_KEY"
    backend = environment(rendered(site)["api"])
    assert all(len(backend[name]) >= 16 for name in facts["published_empty"])


def test_secrets_are_in_no_variable_that_anybody_may_see() -> None:
    for site in SITES.values():
        secrets = {
            value
            for item in containers(site)
            for value in item["definition"].get("secret_environment", {}).values()
        }
        for item in containers(site):
            open_text = json.dumps(item["definition"].get("environment", {}))
            assert not any(secret in open_text for secret in secrets), item["name"]


@pytest.mark.parametrize("site", SITES.values(), ids=list(SITES))
def test_nothing_points_outside(facts: Facts, site: Options) -> None:
    text = json.dumps([item["definition"] for item in containers(site)])
    assert [address for address in facts["outside"] if address in text] == []
    backend = environment(rendered(site)["api"])
    # Left at their defaults these would call somebody.
    assert backend["CHECK_UPDATE_URL"] == ""
    assert backend["MARKETPLACE_ENABLED"] == backend["ENABLE_CHECK_UPGRADABLE_PLUGIN_TASK"] == "false"
    assert environment(rendered(site)["plugin_daemon"])["PIP_MIRROR_AUTO_DETECT"] == "false"
    assert environment(rendered(site)["web"])["NEXT_TELEMETRY_DISABLED"] == "1"


def test_the_sandbox_has_no_way_but_the_proxy() -> None:
    told = rendered(SITES["folder"])
    assert told["sandbox"]["networks"] == [{"name": "dify-inside", "internal": True}]
    assert "ports" not in told["sandbox"]
    inside = {
        name
        for name, definition in told.items()
        if any(net.get("internal") for net in definition["networks"])
    }
    assert inside == {"sandbox", "ssrf_proxy", "api", "worker"}
    assert environment(told["sandbox"])["ENABLE_NETWORK"] == "false"
    assert told["ssrf_proxy"]["secrets"]["squid.conf"].rstrip().endswith("http_access deny all")


def test_every_definition_is_one_that_the_block_takes() -> None:
    for site in SITES.values():
        for item in (*containers(site), migration(site)):
            made = project(
                parse_container({"name": item["name"], "image": IMAGE, "definition": item["definition"]})
            )
            document = yaml.safe_load(made.compose)["services"]["main"]
            assert document["cap_drop"] == ["ALL"]
            assert document["security_opt"] == ["no-new-privileges:true"]
