"""What a connection pooler needs in the cluster: made once, and for the pooler alone."""

from __future__ import annotations

import pytest
from ansible.module_utils.rackwright.postgresql_pooler import plan_pooler


def test_what_is_there_is_not_made_again() -> None:
    assert plan_pooler({"role": True, "function": True}) == []


@pytest.mark.parametrize(
    ("present", "names"),
    [
        ({"role": False, "function": False}, ["pgbouncer", "pgbouncer.get_auth"]),
        ({"role": True, "function": False}, ["pgbouncer.get_auth"]),
    ],
)
def test_what_is_missing_is_made_in_order(present: dict[str, bool], names: list[str]) -> None:
    assert [change.name for change in plan_pooler(present)] == names


def test_the_function_tells_the_pooler_alone_and_nothing_of_superusers() -> None:
    text = plan_pooler({"role": True, "function": False})[0].sql[0]
    assert "NOT rolsuper" in text
    assert "REVOKE ALL ON FUNCTION pgbouncer.get_auth(text) FROM PUBLIC" in text
    assert "SET search_path = pg_catalog" in text
