"""What the server does by itself, and what the app may do with its extensions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_postgresql import Ask, Connect, apply
from testinfra.host import Host

TICK = {
    "name": "tick",
    "schedule": "1 seconds",
    "database": "ai_platform",
    "role": "ai_platform",
    "command": "CREATE TABLE IF NOT EXISTS ticks (at timestamptz); INSERT INTO ticks VALUES (now())",
}


def test_the_sites_jobs_are_there(ask: Ask) -> None:
    jobs = ask("SELECT jobname, schedule, username, database FROM cron.job WHERE active ORDER BY 1")
    assert jobs.splitlines() == [
        "rackwright:history of jobs|45 2 * * *|postgres|postgres",
        "rackwright:old conversations|0 2 * * *|ai_platform|ai_platform",
    ]


def test_old_conversations_leave_and_young_ones_stay(ask: Ask) -> None:
    ask("CREATE TABLE public.sessions (id int, updated_at timestamptz)", "ai_platform")
    try:
        ask("ALTER TABLE public.sessions OWNER TO ai_platform", "ai_platform")
        days = "SELECT d, now() - d * interval '1 day' FROM unnest('{89,91}'::int[]) d"
        ask("INSERT INTO public.sessions " + days, "ai_platform")
        command = ask("SELECT command FROM cron.job WHERE jobname = 'rackwright:old conversations'")
        ask(f"SET ROLE ai_platform; {command}", "ai_platform")
        assert ask("SELECT id FROM public.sessions", "ai_platform") == "89"
    finally:
        ask("DROP TABLE public.sessions", "ai_platform")


@pytest.fixture
def values(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Writes variables for one run; afterwards the site is as the inventory says again."""

    def written(**given: object) -> Path:
        path = tmp_path / "values.json"
        path.write_text(json.dumps(given))
        return path

    yield written
    apply()


def test_a_job_runs_as_its_role_and_goes_with_its_entry(ask: Ask, values: Callable[..., Path]) -> None:
    assert apply("-e", f"@{values(postgresql_jobs=[TICK])}") == 1
    until = time.monotonic() + 30
    query = "SELECT status, username FROM cron.job_run_details WHERE command LIKE '%ticks%'"
    while time.monotonic() < until and "succeeded" not in ask(query):
        time.sleep(1)
    assert "succeeded|ai_platform" in ask(query).splitlines()
    assert apply() == 1
    assert ask("SELECT count(*) FROM cron.job WHERE jobname = 'rackwright:tick'") == "0"
    assert int(ask("SELECT count(*) FROM ticks", "ai_platform")) >= 1
    ask("DROP TABLE ticks", "ai_platform")


def test_who_watches_sees_the_server_and_no_data(ask: Ask, data: Host) -> None:
    assert ask("SELECT pg_has_role('monitoring', 'pg_monitor', 'MEMBER')") == "t"
    assert ask("SELECT has_database_privilege('monitoring', 'ai_platform', 'CONNECT')") == "f"
    # The host's own exporter, by its account and with no password; of another account nobody comes.
    query = "cd / && sudo -u %s psql -XAtc 'SELECT count(*) > 0 FROM pg_stat_activity' -U monitoring postgres"
    data.run("id prometheus || useradd --system prometheus")
    assert data.run(query, "prometheus").stdout.strip() == "t"
    assert data.run(query, "nobody").rc != 0


def test_the_app_can_neither_rename_its_database_nor_let_others_in(psql: Connect, ask: Ask) -> None:
    assert ask("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'ai_platform'") == "postgres"
    assert "must be owner" in psql("ALTER DATABASE ai_platform RENAME TO mine").stderr
    psql("GRANT CONNECT ON DATABASE ai_platform TO monitoring")
    assert ask("SELECT has_database_privilege('monitoring', 'ai_platform', 'CONNECT')") == "f"
    made = psql("CREATE TABLE own (n int); INSERT INTO own VALUES (1); DROP TABLE own")
    assert made.rc == 0, made.stderr


def test_the_app_keeps_vectors_beside_its_data(psql: Connect) -> None:
    made = psql(
        "CREATE TABLE passages (id int, e vector(3));"
        "CREATE INDEX ON passages USING hnsw (e vector_cosine_ops);"
        "INSERT INTO passages VALUES (1, '[1,0,0]'), (2, '[0,1,0]'), (3, '[0.9,0.1,0]')"
    )
    assert made.rc == 0, made.stderr
    found = psql("SELECT id FROM passages ORDER BY e <=> '[1,0,0]' LIMIT 2")
    assert psql("DROP TABLE passages").rc == 0
    assert found.stdout.split() == ["1", "3"]


def test_a_setting_that_needs_it_restarts_the_server_once(ask: Ask, values: Callable[..., Path]) -> None:
    started = ask("SELECT pg_postmaster_start_time()")
    apply("-e", f"@{values(postgresql_overrides={'max_locks_per_transaction': 65})}")
    assert ask("SHOW max_locks_per_transaction") == "65"
    restarted = ask("SELECT pg_postmaster_start_time()")
    assert restarted != started
    assert apply("-e", f"@{values(postgresql_overrides={'max_locks_per_transaction': 65})}") == 0
    assert ask("SELECT pg_postmaster_start_time()") == restarted
