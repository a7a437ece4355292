from collections.abc import Callable
from typing import Any

import pytest
from sample_site import ADDRESSES, GROUPS, variables

from rackwright.catalogue.load import load_catalogue
from rackwright.catalogue.site import Site, place


@pytest.fixture
def services() -> dict[str, Any]:
    """The services of the project, fresh for every test."""
    return dict(variables("services")["services"])


@pytest.fixture
def zone_policy() -> dict[str, Any]:
    return dict(variables("zones")["zone_policy"])


@pytest.fixture
def make_site(services: dict[str, Any], zone_policy: dict[str, Any]) -> Callable[..., Site]:
    """Make a site of four hosts; keyword arguments replace what `place` gets, `groups` is laid over."""

    def make(groups: dict[str, list[str]] | None = None, **changes: object) -> Site:
        values: dict[str, Any] = {
            "name": "test",
            "domain": "test.example",
            "addresses": ADDRESSES,
            "zones": {
                "dmz": {"cidr": "10.0.10.0/24"},
                "app": {"cidr": "10.0.20.0/24"},
                "data": {"cidr": "10.0.30.0/24"},
                "ops": {"cidr": "10.0.40.0/24"},
            },
            "management_sources": ["10.0.99.0/24"],
        }
        catalogue = load_catalogue(services, zone_policy)
        return place(catalogue, groups=GROUPS | (groups or {}), **(values | changes))

    return make


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()
