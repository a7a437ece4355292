"""PostgreSQL on its own host: a restore of the cluster, and what watches its archiving."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from rackwright.backup.agent import contents, given_up, jobs, lineage
from rackwright.backup.agent.sessions import Session
from rackwright.backup.agent.shell import Failed, as_user, last_words, run

RECOVERY_SECONDS = 6 * 3600
WATCH_DUE_SECONDS = 900
# An archive that is silent for longer is an alarm: archive_timeout closes a segment each minute.
SILENT_SECONDS = 300
BEAT_SECONDS = 55
BEAT = "SELECT pg_logical_emit_message(true, 'rackwright', 'beat')"


def restore(store: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Bring the cluster back.

    Args:
        store: The store, as this host's settings say it.
        asked: `type` (latest, time, name or immediate), `target`, `set` (label of the backup), `timeline`,
            `archive` (whether the restored cluster archives), `manifest` (contents to compare with, or None),
            `stanza` (whose backup it is, when it is another host's), `until_segment` (the last segment of
            the log that is to be had, as if none had come after it).

    Returns:
        What came back: `last_transaction`, `replayed` (the segment of the log that was the last one),
        `contents`, `differences`, and the seconds of each phase.
    """
    unit, stanza = store["unit"], asked.get("stanza") or store["stanza"]
    reached = run(as_user("postgres", ["pgbackrest", f"--stanza={stanza}", "--output=json", "info"]))
    if json.loads(reached.stdout)[0]["status"]["code"] != 0:
        raise Failed(f"this host does not reach its backups, nothing was changed: {reached.stdout[:500]}")
    started = time.monotonic()
    run(["systemctl", "stop", unit])
    command = ["pgbackrest", f"--stanza={stanza}", "--delta", f"--set={asked['set']}", *_target(asked)]
    if not asked["archive"]:
        command.append("--archive-mode=off")
    data = Path(store["data_directory"])
    command.append(f"--pg1-path={data}")
    if asked.get("until_segment"):
        command.append(f"--recovery-option=restore_command={frozen(stanza, data, asked['until_segment'])}")
    _private(data)
    # The cluster is never made half of two: without this file no server starts on it.
    run(as_user("postgres", [*command, "restore"]))
    copied = time.monotonic()
    run(["systemctl", "reset-failed", unit], check=False)
    run(["systemctl", "start", unit], check=False)
    _wait(store)
    recovered = time.monotonic()
    with Session("postgres") as session:
        last = session.ask("SELECT coalesce(pg_last_xact_replay_timestamp()::text, '')")
        place = session.one("SELECT coalesce(pg_last_wal_replay_lsn() - '0/0' - 1, 0)")
        names = contents.databases(session)
        restart = _tidied(session)
    if restart:
        run(["systemctl", "restart", unit])
        _wait(store)
    found: contents.Contents = {}
    for database in names:
        with Session(database) as session:
            found[database] = contents.count(session)
    wanted = asked.get("manifest")
    return {
        "last_transaction": last[0] if last else "",
        "replayed": lineage.name(lineage.FIRST, int(place) // store["segment_bytes"]),
        "rows": contents.rows_of(found),
        "contents": found,
        "compared": wanted is not None,
        "differences": contents.differences(wanted, found) if wanted else [],
        "seconds": {
            "copy": round(copied - started, 2),
            "recover": round(recovered - copied, 2),
            "check": round(time.monotonic() - recovered, 2),
        },
    }


def facts(store: dict[str, Any]) -> dict[str, Any]:
    """Return what a restore must know of this host: version, free bytes, bytes of the present cluster."""
    data = Path(store["data_directory"])
    place = next(path for path in [data, *data.parents] if path.exists())
    held = sum(Path(at, name).lstat().st_size for at, _, names in os.walk(data) for name in names)
    rows = 0
    try:
        with Session("postgres") as session:
            databases = contents.databases(session)
        for database in databases:
            with Session(database) as session:
                rows += int(session.one("SELECT coalesce(sum(n_live_tup), 0) FROM pg_stat_user_tables"))
    except Failed:
        rows = -1
    return {
        "version": store["version"],
        "free": shutil.disk_usage(place).free,
        "held": held,
        "rows": rows,
    }


def watch(store: dict[str, Any]) -> None:
    """Ask whether the log leaves this host, and say so where health and metrics look.

    It writes a heartbeat too, so that an idle cluster has something to archive, and what is lost in a
    disaster is known to the minute.
    """
    with jobs.recorded(f"archive {store['name']}", WATCH_DUE_SECONDS) as job:
        with Session("postgres") as session:
            state = json.loads(
                session.one(
                    "SELECT json_build_object('failed', failed_count, 'wal', last_archived_wal,"
                    " 'age', extract(epoch FROM now() - last_archived_time),"
                    " 'failing', last_failed_time > coalesce(last_archived_time, '-infinity'),"
                    " 'queue', (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'),"
                    " 'kept', (SELECT coalesce(sum(size), 0) FROM pg_ls_waldir()),"
                    " 'up', extract(epoch FROM now() - pg_postmaster_start_time())) FROM pg_stat_archiver"
                )
            )
            session.ask(BEAT)
            # After a crash archive_timeout was seen to close no segment; a minute without one ends here.
            if float(state["age"] if state["age"] is not None else state["up"]) > BEAT_SECONDS:
                session.ask("SELECT pg_switch_wal()")
        job.size_bytes = int(state["kept"])
        waiting = int(state["queue"]) * store["segment_bytes"]
        told = f"{state['queue']} segments wait, {job.size_bytes >> 20} MB of log on disk"
        lost = given_up.seen(store["name"], store["stanza"])
        if lost:
            raise Failed(
                f"log from {lost[0]} to {lost[1]} was given up, so that the disk does not fill: no point in"
                " time after that until the next backup (rackwright backup)"
            )
        if waiting * 2 > store["queue_bytes"]:
            raise Failed(
                f"the log does not leave this host: {told}; at {store['queue_bytes'] >> 20} MB it is given up"
            )
        age = float(state["age"] if state["age"] is not None else state["up"])
        if age > SILENT_SECONDS and float(state["up"]) > SILENT_SECONDS:
            raise Failed(f"nothing was archived for {age / 60:.0f} minutes: {told}")
        job.detail = f"archived {age:.0f} s ago; {told}"


def _private(data: Path) -> None:
    """Make the directory that PostgreSQL's user alone may look into, where there is none."""
    if not data.exists():
        data.mkdir(parents=True)
    shutil.chown(data, "postgres", "postgres")
    data.chmod(0o700)


def _target(asked: dict[str, Any]) -> list[str]:
    if asked["type"] == "latest":
        return ["--type=default"]
    words = [f"--type={asked['type']}", f"--target={asked['target']}", "--target-action=promote"]
    if asked.get("timeline"):
        words.append(f"--target-timeline={asked['timeline']}")
    return words


def frozen(stanza: str, data: Path, last: str) -> str:
    """Return a command that brings no segment of the log after the last; of timelines it brings all."""
    # Neither quotes nor backslashes: the command goes through two files that give both a meaning.
    whole = f"[ $((0x${{f#????????}})) -le {int(last[8:], 16)} ]"
    fetch = f"pgbackrest --stanza={stanza} --pg1-path={data} archive-get %f %p"
    return f"f=%f; case $f in *.history) ;; *) {whole} ;; esac && {fetch}"


# What a restore leaves in postgresql.auto.conf: each would add its own, and a standby made of this cluster
# would stop at its target.
_RECOVERY = (
    "SELECT DISTINCT name FROM pg_file_settings WHERE sourcefile LIKE '%/postgresql.auto.conf'"
    " AND (name LIKE 'recovery\\_target%' OR name = 'restore_command') ORDER BY 1"
)


def _tidied(session: Session) -> bool:
    """Take the settings of the recovery away; return whether only a restart makes the server forget them."""
    names = session.ask(_RECOVERY)
    for name in names:
        session.ask(f"ALTER SYSTEM RESET {name}")
    # A target is read at the start alone, the command when it is needed.
    return any(name != "restore_command" for name in names)


def _wait(store: dict[str, Any]) -> None:
    """Wait until the cluster has recovered and takes writes."""
    ends = time.monotonic() + RECOVERY_SECONDS
    command = as_user("postgres", ["psql", "-XAtqc", "SELECT pg_is_in_recovery()", "-d", "postgres"])
    while time.monotonic() < ends:
        if run(command, check=False).stdout.strip() == "f":
            return
        state = run(["systemctl", "is-active", store["unit"]], check=False).stdout.strip()
        if state in {"failed", "inactive"}:
            log = Path(f"/var/log/postgresql/postgresql-{store['version']}-main.log")
            lines = log.read_text(errors="replace").splitlines()[-40:] if log.exists() else []
            fatal = [line for line in lines if "FATAL" in line or "PANIC" in line]
            raise Failed(
                f"the restored cluster does not start: {last_words(chr(10).join(fatal), 1) or state}",
                f"its log is {log}; take an earlier target, or another backup",
            )
        time.sleep(0.3)
    raise Failed(f"the cluster did not recover within {RECOVERY_SECONDS // 3600} hours")
