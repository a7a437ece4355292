"""What a site chose before is known by the catalogue alone."""

from typing import Any

import pytest

from rackwright.catalogue.former import former_containers, former_units

SERVICES: dict[str, dict[str, Any]] = {
    "chroma": {
        "when": {"vector_store": "chroma"},
        "unit": "chroma-front.service",
        "logs": [{"journal": "chroma.service"}, {"journal": "chroma-front.service"}],
    },
    "qdrant": {"when": {"vector_store": "qdrant"}, "container": "qdrant", "logs": [{"container": "qdrant"}]},
    "milvus": {
        "when": {"vector_store": "milvus"},
        "container": "milvus",
        "logs": [{"journal": "shared-front.service"}],
    },
    "weaviate": {
        "when": {"vector_store": "weaviate"},
        "unit": "shared-front.service",
        "logs": {"none": "it writes none"},
    },
    "ollama": {"when": {"inference_engine": "ollama"}, "container": "ollama"},
    "redis": {"unit": "redis-server.service"},
}


@pytest.mark.parametrize(
    ("chosen", "units", "containers"),
    [
        ("qdrant", ["chroma-front.service", "chroma.service", "shared-front.service"], ["milvus"]),
        ("chroma", ["shared-front.service"], ["milvus", "qdrant"]),
        # What the choice itself needs is not stopped, though another had it too.
        ("milvus", ["chroma-front.service", "chroma.service"], ["qdrant"]),
        (
            "pgvector",
            ["chroma-front.service", "chroma.service", "shared-front.service"],
            ["milvus", "qdrant"],
        ),
    ],
)
def test_other_choices_of_the_same_thing_are_former(
    chosen: str, units: list[str], containers: list[str]
) -> None:
    sockets = [unit.replace(".service", ".socket") for unit in units]
    assert former_units(SERVICES, "vector_store", chosen) == sockets + units
    assert former_containers(SERVICES, "vector_store", chosen) == containers
