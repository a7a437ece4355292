"""What a site chooses one of: its vector store, its edge.

A service of the catalogue with the key `when` runs only where the variables that it names have its values; so
a service that was not chosen has no port, no share of a host and no play. A value that no service stands for
costs none: it is part of another service, or a folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Choice:
    """One choice of a site.

    Attributes:
        group: Inventory group whose hosts run what was chosen.
        without: Values that need no host of the group, the first for sites whose group is empty.
        what: For people.
        schemes: Of the addresses at which a value is called, where that is not https or http.
        companions: Groups that have hosts only with some of the values: they show or feed what was chosen.
        alone: Values that run on one host: of several each would keep a part and know nothing of the others.
        called: Whether services call what was chosen, on its port `api`; the world finds the edge by name.
    """

    group: str
    without: tuple[str, ...]
    what: str
    schemes: Mapping[str, str] = field(default_factory=dict)
    alone: tuple[str, ...] = ()
    called: bool = True
    companions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


CHOICES: Mapping[str, Choice] = {
    "vector_store": Choice(
        "vector_store", ("pgvector",), "vector store", alone=("chroma", "milvus", "weaviate")
    ),
    "object_store": Choice("object_store", ("folder",), "object store", alone=("rclone",)),
    "log_store": Choice(
        "log_store",
        ("none",),
        "log store",
        schemes={"files": "relp"},
        alone=("elasticsearch", "files"),
        companions={"kibana": ("elasticsearch",), "logstash": ("elasticsearch",)},
    ),
    "edge_engine": Choice("edge", ("nginx",), "edge", called=False),
    "connection_pooler": Choice("postgresql", ("none",), "connection pooler", {"pgbouncer": "postgresql"}),
}


def choices_of(
    variables: Mapping[str, Any], tier: Mapping[str, str], groups: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return what a site has chosen, by variable.

    What the inventory says counts; else the tier's choice where a host could run it, else what needs no host.

    Args:
        variables: Of the site; only those of `CHOICES` are read.
        tier: What the site's tier says of them.
        groups: Inventory group -> its hosts.
    """
    found = {}
    for name, choice in CHOICES.items():
        given = variables.get(name, "")
        wanted = tier.get(name, "") if groups.get(choice.group) else ""
        found[name] = str(given or wanted or choice.without[0])
    return found
