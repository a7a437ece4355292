"""Jobs of pg_cron: what is asked of the server for those that are missing, different, off or gone."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.rackwright.postgresql_jobs import PREFIX, plan_extension, plan_jobs
from ansible.module_utils.rackwright.postgresql_plan import plan_role

JOB = {
    "name": "old",
    "schedule": "0 2 * * *",
    "database": "ai",
    "role": "app",
    "command": "DELETE FROM t WHERE note = 'it''s'",
}


def there(**changes: object) -> dict[str, Any]:
    return {**JOB, "name": PREFIX + "old", "id": 7, "active": True} | changes


def test_what_is_there_needs_nothing() -> None:
    assert plan_jobs([JOB], [there()]) == []


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        ({"schedule": "0 3 * * *"}, "schedule changed"),
        ({"command": "SELECT 1"}, "command changed"),
        ({"database": "other"}, "database changed"),
        ({"active": False}, "switched on"),
    ],
)
def test_what_differs_is_said_and_written_anew(changes: dict[str, Any], action: str) -> None:
    (change,) = plan_jobs([JOB], [there(**changes)])
    assert change.actions == (action,)
    assert change.sql[0].startswith("SELECT cron.schedule_in_database('rackwright:old', '0 2 * * *', ")


def test_a_text_stays_one_text() -> None:
    (change,) = plan_jobs([JOB], [])
    assert change.actions == ("created",)
    assert "'DELETE FROM t WHERE note = ''it''''s'''" in change.sql[0]


def test_one_of_another_role_is_another_job() -> None:
    removed, made = plan_jobs([JOB], [there(role="other")])
    assert (removed.actions, removed.sql) == (("removed",), ("SELECT cron.unschedule(7);",))
    assert made.actions == ("created",)


def test_one_that_left_the_list_is_removed() -> None:
    (change,) = plan_jobs([], [there()])
    assert (change.name, change.actions) == ("old", ("removed",))


def test_the_extension_is_made_once() -> None:
    assert plan_extension(["pg_cron"]) is None
    change = plan_extension([])
    assert change is not None
    assert change.database == "postgres"


def test_memberships_are_those_that_are_asked_for() -> None:
    role = {"name": "m", "password": "x" * 20, "connection_limit": -1, "member_of": ["pg_monitor"]}
    made = plan_role(role, None)
    assert made is not None
    assert made.sql[1:] == ('GRANT "pg_monitor" TO "m";',)
    held = {"password": None, "limit": -1, "login": True, "member_of": ["pg_read_all_data"], "powers": []}
    changed = plan_role(role, held)
    assert changed is not None
    assert {"granted pg_monitor", "revoked pg_read_all_data"} <= set(changed.actions)
