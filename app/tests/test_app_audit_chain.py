"""A line that is removed, changed or forged is found; and what is too old is forgotten."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from app_server import RunningApp, eventually

from rackwright_app.audit_chain import link
from rackwright_app.audit_table import AuditTable
from rackwright_app.audit_verify import missing_from_file, read_lines, verify
from rackwright_app.database.pool import make_pool
from rackwright_app.retention import retain
from rackwright_app.settings import Settings

KEY = b"a" * 40


@pytest.fixture
def trail(
    settings: Settings,
    start_app: Callable[[Settings], RunningApp],
    token: Callable[..., str],
    database: psycopg.Connection[dict[str, Any]],
) -> Settings:
    """An app that has written six lines into its file and the table."""
    changed = settings.model_dump()
    changed["audit"] |= {"key": KEY.decode()}
    app = start_app(Settings.model_validate(changed))
    with httpx.Client(base_url=app.url, headers={"Authorization": f"Bearer {token()}"}) as client:
        for number in range(6):
            client.get(f"/api/sessions?limit={number + 1}")
    eventually(lambda: len(app.audit_lines()) == 6)
    (chain,) = {line["chain"] for line in app.audit_lines()}

    def copied() -> bool:
        found = database.execute("SELECT count(*) AS count FROM audit WHERE chain = %s", (chain,)).fetchone()
        return found is not None and found["count"] == 6

    eventually(copied)
    return app.settings


def lines_of(settings: Settings) -> list[str]:
    return settings.audit.path.read_text().splitlines(keepends=True)


def problems(settings: Settings, key: bytes = KEY) -> list[str]:
    found, seen = verify(read_lines(settings.audit.path), key)
    first = json.loads(next(text for _, text in read_lines(settings.audit.path)))
    return found + missing_from_file(settings, seen, first["time"])


def test_an_untouched_trail_holds(trail: Settings) -> None:
    assert problems(trail) == []


def test_a_line_removed_in_the_middle_or_at_the_end_is_found(trail: Settings) -> None:
    lines = lines_of(trail)
    trail.audit.path.write_text("".join(lines[:2] + lines[3:]))
    assert any("missing 3 to 3" in problem for problem in problems(trail))
    trail.audit.path.write_text("".join(lines[:5]))
    assert any("line 6 is missing" in problem for problem in problems(trail))


def test_a_changed_or_forged_line_is_found(trail: Settings) -> None:
    lines = lines_of(trail)
    changed = json.loads(lines[3])
    changed["user"] = "bob"
    told = changed.pop("hash")
    trail.audit.path.write_text(
        "".join([*lines[:3], json.dumps({**changed, "hash": told}) + "\n", *lines[4:]])
    )
    assert any("line 4 was changed" in problem for problem in problems(trail))
    # Who has no key cannot make the hash.
    before = json.loads(lines[2])["hash"]
    forged = json.dumps({**changed, "hash": link(b"guess", before, changed)}) + "\n"
    trail.audit.path.write_text("".join([*lines[:3], forged, *lines[4:]]))
    assert any("line 4 was changed" in problem for problem in problems(trail))


def test_rotated_and_packed_files_are_read_too(trail: Settings) -> None:
    lines = lines_of(trail)
    path = trail.audit.path
    with gzip.open(path.with_name("audit.log-20260101.gz"), "wt") as packed:
        packed.write("".join(lines[:2]))
    path.with_name("audit.log-20260102").write_text("".join(lines[2:4]))
    path.write_text("".join(lines[4:]))
    assert problems(trail) == []


def test_the_table_is_only_appended_to(trail: Settings, database: psycopg.Connection[dict[str, Any]]) -> None:
    for statement in ("DELETE FROM audit", "UPDATE audit SET at = now()"):
        with pytest.raises(psycopg.errors.RaiseException, match="appended"):
            database.execute(statement)
    assert problems(trail) == []


def test_what_is_too_old_is_forgotten_and_nothing_else(
    trail: Settings,
    database: psycopg.Connection[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("rackwright_app.retention.gettempdir", lambda: str(tmp_path))
    for days in (1, 89, 91):
        database.execute(
            "INSERT INTO sessions (subject, title, updated_at)"
            " VALUES ('a', 'b', now() - make_interval(days => %s))",
            (days,),
        )
    for days in (29, 31):
        database.execute(
            "INSERT INTO audit (chain, seq, at, record)"
            " VALUES ('old', %s, now() - make_interval(days => %s), '{}')"
            " ON CONFLICT DO NOTHING",
            (days, days),
        )
    done = retain(trail)
    assert (done["conversations"], done["audit rows"]) == (1, 1)
    assert retain(trail)["conversations"] == 0


def test_nothing_that_is_sent_keeps_lines_out_of_the_table(
    trail: Settings,
    start_app: Callable[[Settings], RunningApp],
    token: Callable[..., str],
    database: psycopg.Connection[dict[str, Any]],
) -> None:
    """NUL, half a surrogate pair, infinity: JSON may hold them, or nearly, and PostgreSQL may not."""
    app = start_app(trail)
    before = len(app.audit_lines())
    with httpx.Client(base_url=app.url, headers={"Authorization": f"Bearer {token()}"}) as client:
        for body in (
            rb'{"message": "a\u0000b"}',
            rb'{"phone": "\ud800\u0000"}',
            b'{"message": 1e999, "x": NaN}',
        ):
            assert client.post("/api/chat", content=body).status_code == 400
        client.get("/api/%00?a=%00")
        client.get("/api/sessions")
    eventually(lambda: len(app.audit_lines()) == before + 5)
    chain = app.audit_lines()[-1]["chain"]

    def copied() -> bool:
        found = database.execute("SELECT count(*) AS count FROM audit WHERE chain = %s", (chain,)).fetchone()
        return found is not None and found["count"] == 5

    eventually(copied)
    assert problems(trail) == []


@pytest.mark.asyncio
async def test_a_record_that_the_table_refuses_holds_nothing_up(
    settings: Settings, database: psycopg.Connection[dict[str, Any]]
) -> None:
    table, pool, chain = AuditTable(), make_pool(settings.database), uuid.uuid4().hex[:16]
    for number, text in enumerate(("good", "\0", "good"), 1):
        table.add({"chain": chain, "seq": number, "time": "2026-01-31T08:00:00Z", "text": text})
    await pool.open()
    try:
        await table.flush(pool)
    finally:
        await pool.close()
    kept = database.execute("SELECT seq FROM audit WHERE chain = %s ORDER BY seq", (chain,)).fetchall()
    assert [row["seq"] for row in kept] == [1, 3]
