"""Jobs of pg_cron: from what is asked for and what there is, to SQL.

Ours are known by the prefix of their names: one that left the list is removed, others are let be.
"""

from __future__ import annotations

from typing import Any

from ansible.module_utils.rackwright.postgresql import literal
from ansible.module_utils.rackwright.postgresql_plan import Change

PREFIX = "rackwright:"
# pg_cron keeps its jobs in one database of the cluster.
DATABASE = "postgres"
JOBS = f"""
SELECT coalesce(json_agg(json_build_object('id', jobid, 'name', jobname, 'schedule', schedule,
  'command', command, 'database', database, 'role', username, 'active', active)), '[]')
FROM cron.job WHERE jobname LIKE '{PREFIX}%';
"""  # noqa: S608 - nothing of it comes from outside
_COMPARED = ("schedule", "command", "database", "role")


def plan_extension(extensions: list[str]) -> Change | None:
    """Say whether pg_cron itself is missing in its database."""
    if "pg_cron" in extensions:
        return None
    sql = "CREATE EXTENSION IF NOT EXISTS pg_cron;"
    return Change("extensions", DATABASE, ("pg_cron created",), (sql,), DATABASE)


def plan_jobs(wanted: list[dict[str, Any]], present: list[dict[str, Any]]) -> list[Change]:
    """Return what the jobs need: for each that is missing, different, switched off or not asked for."""
    names = {PREFIX + job["name"]: job for job in wanted}
    changes = []
    kept: dict[str, dict[str, Any]] = {}
    for job in present:
        asked = names.get(job["name"])
        if asked is not None and asked["role"] == job["role"] and job["name"] not in kept:
            kept[job["name"]] = job
            continue
        shown = job["name"].removeprefix(PREFIX)
        changes.append(Change("job", shown, ("removed",), (f"SELECT cron.unschedule({int(job['id'])});",)))
    for name, job in names.items():
        there = kept.get(name)
        actions = _actions(job, there)
        if actions:
            changes.append(Change("job", job["name"], actions, (_schedule(name, job),)))
    return changes


def _actions(job: dict[str, Any], there: dict[str, Any] | None) -> tuple[str, ...]:
    if there is None:
        return ("created",)
    actions = [f"{key} changed" for key in _COMPARED if job[key] != there[key]]
    return tuple(actions if there["active"] else [*actions, "switched on"])


def _schedule(name: str, job: dict[str, Any]) -> str:
    # The same name and role: pg_cron replaces the job.
    values = (name, job["schedule"], job["command"], job["database"], job["role"])
    return f"SELECT cron.schedule_in_database({', '.join(map(literal, values))}, true);"
