"""What has state has a backup: every kind of state in the catalogue's model has its keeper."""

import typing
from pathlib import Path

import yaml

from rackwright.backup.agent.kinds import KINDS
from rackwright.catalogue.load import load_catalogue
from rackwright.catalogue.model import Nothing, StateKinds


def kinds_of_the_model() -> set[str]:
    union = typing.get_args(StateKinds)[0]
    return {typing.get_args(typing.get_type_hints(kind)["kind"])[0] for kind in typing.get_args(union)}


def test_every_kind_of_state_has_a_keeper() -> None:
    assert kinds_of_the_model() == set(KINDS), "state that no backup takes, or a keeper of nothing"


def test_every_state_of_the_catalogue_is_kept(root: Path) -> None:
    values: dict[str, object] = {}
    for name in ("services", "zones"):
        values |= yaml.safe_load((root / f"group_vars/all/{name}.yml").read_text(encoding="utf-8"))
    catalogue = load_catalogue(values["services"], values["zone_policy"])
    stateful = {
        name: service.state.kind
        for name, service in catalogue.services.items()
        if not isinstance(service.state, Nothing)
    }
    assert {"postgresql", "redis"} <= set(stateful)
    assert {name for name, kind in stateful.items() if kind not in KINDS} == set()
