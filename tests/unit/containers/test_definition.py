"""What a definition may say, and the compose file from it."""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rackwright.containers.compose import bridge, project
from rackwright.containers.definition import parse
from rackwright.errors import RackwrightError

# What YAML can say.
Value: TypeAlias = Any
EVERYWHERE = "0.0.0.0"  # noqa: S104  # what must be refused
IMAGE_ID = "sha256:" + "a" * 64
OTHER_ID = "sha256:" + "b" * 64
SECRET = "s3cret-$value"


def arguments(**changes: Value) -> dict[str, Any]:
    definition: dict[str, Any] = {
        "command": ["serve", "--title", "5 $ only"],
        "environment": {"VERBOSE": True, "PRICE": "$HOME"},
        "secret_environment": {"TOKEN": SECRET},
        "secrets": {"key": SECRET},
        "user": "60700:60700",
        "ports": [{"address": "10.77.20.11", "port": 80, "container_port": 8080}],
        "healthcheck": {"command": ["true"]},
        "memory_mb": 64,
        "cpus": 0.5,
    }
    image = {"name": "echo:1", "archive": "/x.tar", "image_id": IMAGE_ID}
    definition.update(changes.pop("definition", {}))
    return {"name": "echo", "image": image, "definition": definition} | changes


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"image": {"name": "echo:latest"}}, "image: 'echo:latest' is a tag"),
        ({"image": {"name": "echo", "image_id": "sha256:12"}}, "image.image_id"),
        ({"name": "../etc"}, "name"),
        (
            {"definition": {"ports": [{"address": EVERYWHERE, "port": 1, "container_port": 1}]}},
            "every network",
        ),
        ({"definition": {"ports": [{"address": "::", "port": 1, "container_port": 1}]}}, "every network"),
        ({"definition": {"ports": [{"port": 1, "container_port": 1}]}}, "ports.0.address"),
        ({"definition": {"ports": [{"address": "10.0.0.1", "port": 1, "container_port": 1}] * 2}}, "twice"),
        ({"definition": {"privileged": True}}, "definition.privileged"),
        (
            {"definition": {"volumes": [{"source": "/var/run/docker.sock", "target": "/s"}]}},
            "root on the host",
        ),
        ({"definition": {"volumes": [{"source": "/a/../b", "target": "/s"}]}}, "absolute path"),
        ({"definition": {"user": None}}, "secrets need `user`"),
        ({"definition": {"user": "www-data"}}, "definition.user"),
        ({"definition": {"secrets": {"../x": "y"}}}, "plain file name"),
        ({"definition": {"healthcheck": None}}, "definition.healthcheck"),
        ({"definition": {"memory_mb": 0}}, "definition.memory_mb"),
    ],
)
def test_bad_definitions_are_refused_with_their_place_and_without_secrets(
    changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(RackwrightError) as refused:
        parse(arguments(**changes))
    assert told in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_pinned_name_of_a_registry_is_enough() -> None:
    name = "registry.example.internal/echo@sha256:" + "c" * 64
    assert parse(arguments(image={"name": name})).image.reference == name


def test_the_compose_file_limits_the_container_and_holds_no_secret() -> None:
    written = project(parse(arguments()))
    entry = yaml.safe_load(written.compose)["services"]["main"]
    assert entry["image"] == IMAGE_ID
    assert (entry["read_only"], entry["cap_drop"]) == (True, ["ALL"])
    assert entry["security_opt"] == ["no-new-privileges:true"]
    assert (entry["mem_limit"], entry["memswap_limit"], entry["cpus"]) == ("64m", "64m", 0.5)
    assert [port["host_ip"] for port in entry["ports"]] == ["10.77.20.11"]
    assert entry["restart"] == "unless-stopped"
    assert entry["logging"]["options"] == {"max-size": "10m", "max-file": "5", "tag": "{{.Name}}"}
    assert "s3cret" not in written.compose


def test_compose_does_not_put_variables_into_values() -> None:
    entry = yaml.safe_load(project(parse(arguments())).compose)["services"]["main"]
    assert entry["command"] == ["serve", "--title", "5 $$ only"]
    assert entry["environment"] == {"PRICE": "$$HOME", "VERBOSE": "true"}


@pytest.mark.parametrize(
    "change",
    [
        {"definition": {"command": ["other"]}},
        {"definition": {"secrets": {"key": "rotated"}}},
        {"definition": {"secret_environment": {"TOKEN": "rotated"}}},
        {"definition": {"memory_mb": 65}},
        {"image": {"name": "echo:1", "image_id": OTHER_ID}},
    ],
)
def test_every_change_changes_the_revision(change: dict[str, Any]) -> None:
    assert project(parse(arguments(**change))).revision != project(parse(arguments())).revision


def test_the_same_words_in_another_order_are_the_same_revision() -> None:
    one = arguments(definition={"environment": {"A": 1, "B": 2}})
    two = arguments(definition={"environment": {"B": 2, "A": 1}})
    assert project(parse(one)) == project(parse(two))


@given(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True))
def test_bridge_names_fit_into_linux(name: str) -> None:
    assert bridge(name).startswith("br-")
    assert len(bridge(name)) <= 15


def test_long_names_with_one_beginning_get_different_bridges() -> None:
    assert bridge("embedding_server_one") != bridge("embedding_server_two")


def test_containers_that_share_a_network_say_the_same_of_it() -> None:
    shared = {"network": "choir"}
    texts = [project(parse(arguments(name=name, definition=shared))).compose for name in ("alto", "bass")]
    networks = [yaml.safe_load(text)["networks"] for text in texts]
    assert networks[0] == networks[1]
    assert networks[0]["default"]["name"] == "rackwright-choir"
    assert networks[0]["default"]["driver_opts"] == {"com.docker.network.bridge.name": "br-choir"}
    alone = yaml.safe_load(project(parse(arguments())).compose)["networks"]["default"]
    assert "name" not in alone
