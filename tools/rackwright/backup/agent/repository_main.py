"""`rackwright-backup`: the backup host's own program, for cron, playbooks and people; it answers in JSON."""

from __future__ import annotations

import argparse
import json
import os
import pwd
import re
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from rackwright.backup.agent import gate, jobs, keep, plan, proof, restic, wal
from rackwright.backup.agent.settings import SITE, Repository, Store, load
from rackwright.backup.agent.shell import Failed, in_words

USER = "rackwright-backup"
SITE_DUE_SECONDS = 8 * 24 * jobs.HOUR
CRON_WAIT = 6 * jobs.HOUR
SUNDAY = 6


def main() -> None:
    """Do what the command says; exit status 3 and a line of JSON when it cannot be done."""
    given = _arguments().parse_args()
    try:
        with in_words("rackwright-backup"):
            repository = load()
            if given.action == "gate":
                _gate(given.host, gate.OF_A_GUEST if given.guest else gate.OF_THE_REPOSITORY)
            answer = ACTIONS[given.action](repository, given)
    except Failed as error:
        print(json.dumps({"failed": error.message, "hint": error.hint}))  # noqa: T201 - the answer
        sys.exit(3)
    print(json.dumps(answer))  # noqa: T201
    if given.action in {"backup", "verify", "cron"} and any(
        entry.get("failed") or entry.get("ok") is False for entry in answer
    ):
        sys.exit(4)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rackwright-backup", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("init")
    actions.add_parser("list")
    actions.add_parser("site")
    actions.add_parser("adopt").add_argument("store")
    one = actions.add_parser("backup")
    one.add_argument("--type", default="auto", choices=["auto", "full", "diff", "incr"])
    for parsed in (one, actions.add_parser("verify")):
        parsed.add_argument("stores", nargs="*")
    actions.add_parser("point").add_argument("name")
    cron = actions.add_parser("cron")
    cron.add_argument("what", choices=["pgbackrest", "restic", "incr", "point", "verify"])
    cron.add_argument("--every", type=int, default=0)
    planned = actions.add_parser("plan")
    planned.add_argument("--to", default="latest")
    planned.add_argument("stores", nargs="*")
    fed = actions.add_parser("feed")
    fed.add_argument("store")
    fed.add_argument("snapshot")
    fed.add_argument("--onto", default="")
    gated = actions.add_parser("gate")
    gated.add_argument("host")
    gated.add_argument("--guest", action="store_true")
    return parser


def _gate(host: str, commands: re.Pattern[str]) -> None:
    """Let a host's pgBackRest speak to the repository, of its own cluster alone; does not return."""
    words = shlex.split(os.environ.get("SSH_ORIGINAL_COMMAND", ""))
    guest = gate.guest_of(host)
    allowed = gate.permitted(words, commands, host) or (
        guest != "" and gate.permitted(words, gate.OF_A_GUEST, guest)
    )
    if not allowed:
        raise Failed(f"{host} may not ask this: {' '.join(words)[:300]}")
    os.execvp("pgbackrest", words)  # noqa: S606 - no shell is wanted


def _chosen(repository: Repository, names: Sequence[str]) -> tuple[Store, ...]:
    return tuple(repository.store(name) for name in names) if names else repository.stores


def _init(repository: Repository, _: argparse.Namespace) -> dict[str, Any]:
    made = ["restic"] if restic.make(repository) else []
    for store in repository.stores:
        jobs.expect(f"backup {store.name}", store.due_seconds)
        jobs.expect(f"verify {store.name}", proof.DUE_SECONDS)
        if store.by_pgbackrest and wal.info(store).get("status", {"code": 1})["code"] not in {0, 2}:
            wal.pgbackrest(store, "stanza-create")
            made.append(store.name)
    if repository.stores:
        jobs.expect("point site", keep.POINT_DUE_SECONDS)
    wanted = {job.name for job in jobs.known() if job.subject in {"site", SITE}}
    wanted |= {f"{action} {store.name}" for store in repository.stores for action in ("backup", "verify")}
    for job in jobs.known():
        if job.name not in wanted and job.action in {"backup", "verify"}:
            jobs.path_of(job.name).unlink()
            made.append(f"forgot {job.name}")
    jobs.publish()
    return {"made": made}


def _list(repository: Repository, _: argparse.Namespace) -> dict[str, Any]:
    snapshots = restic.snapshots(repository)
    found: list[dict[str, Any]] = []
    for store in repository.stores:
        if store.by_pgbackrest:
            found += [
                {
                    "store": store.name,
                    "id": backup.label,
                    "kind": backup.kind,
                    "time": backup.stopped,
                    "size": backup.size,
                    "kept": backup.kept,
                }
                for backup in wal.backups(store)
            ]
    found += [
        {"store": entry.store, "id": entry.id, "kind": "snapshot", "time": entry.time, "size": entry.size}
        for entry in snapshots
    ]
    points = [
        {
            "name": entry["name"],
            "time": entry["time"],
            "pause_seconds": entry["pause_seconds"],
            "stores": list(entry["stores"]),
        }
        for entry in plan.points(repository)
    ]
    return {"backups": found, "points": points, "jobs": [vars(job) for job in jobs.known()]}


def _backup(repository: Repository, given: argparse.Namespace) -> list[dict[str, Any]]:
    with keep.locked(repository, jobs.HOUR):
        return keep.backup(repository, _chosen(repository, given.stores), given.type)


def _verify(repository: Repository, given: argparse.Namespace) -> list[dict[str, Any]]:
    with keep.locked(repository, jobs.HOUR):
        return proof.verify(repository, _chosen(repository, given.stores))


def _point(repository: Repository, given: argparse.Namespace) -> dict[str, Any]:
    with keep.locked(repository, jobs.HOUR):
        return keep.point(repository, given.name)


def _cron(repository: Repository, given: argparse.Namespace) -> list[dict[str, Any]]:
    asked = time.time()
    with keep.locked(repository, CRON_WAIT):
        match given.what:
            case "verify":
                return proof.verify(repository, repository.stores)
            case "point":
                made = keep.point(repository, jobs.weekly_name())
                return [{"store": name} for name in made["stores"]]
            case "restic":
                return _restic(repository, given.every, asked)
            case what:
                clusters = [store for store in repository.stores if store.by_pgbackrest]
                return keep.backup(repository, clusters, "incr" if what == "incr" else "auto")


def _restic(repository: Repository, every: int, asked: float) -> list[dict[str, Any]]:
    """Keep the stores of one interval, but for those that another run has kept while this one waited."""
    done = {job.name for job in jobs.known() if job.ok and job.finished - job.seconds >= asked}
    stores = [
        store
        for store in repository.stores
        if not store.by_pgbackrest and store.every_minutes == every and f"backup {store.name}" not in done
    ]
    made = keep.backup(repository, stores, "auto")
    if not every and time.localtime().tm_wday == SUNDAY:
        restic.prune(repository)
    return made


def _plan(repository: Repository, given: argparse.Namespace) -> list[dict[str, Any]]:
    facts = json.loads(sys.stdin.read() or "{}")
    return plan.plan(repository, _chosen(repository, given.stores), given.to, facts)


def _feed(repository: Repository, given: argparse.Namespace) -> dict[str, Any]:
    store = repository.store(given.store)
    command = store.ask("receive", store.service)
    if given.onto:
        command[command.index(store.address)] = given.onto
    return restic.feed(repository, given.snapshot, store.name, command)


def _adopt(repository: Repository, given: argparse.Namespace) -> dict[str, Any]:
    """Take a cluster's log that has become another's: from here on it has a history of its own."""
    store = repository.store(given.store)
    wal.pgbackrest(store, "stanza-upgrade")
    return {"store": store.name}


def _site(repository: Repository, _: argparse.Namespace) -> dict[str, Any]:
    with jobs.recorded(f"backup {SITE}", SITE_DUE_SECONDS) as job:
        made, size = restic.keep(repository, SITE, sys.stdin.buffer)
        job.size_bytes, job.detail = size, f"snapshot {made}"
    return {"store": SITE, "id": made, "size": size}


ACTIONS: dict[str, Callable[[Repository, argparse.Namespace], Any]] = {
    "init": _init,
    "list": _list,
    "backup": _backup,
    "verify": _verify,
    "point": _point,
    "cron": _cron,
    "plan": _plan,
    "feed": _feed,
    "site": _site,
    "adopt": _adopt,
}


def become() -> None:
    """Give root's rights up for those of the user that owns the repositories."""
    if os.geteuid() == 0:
        account = pwd.getpwnam(USER)
        os.initgroups(USER, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
        os.environ.update(HOME=account.pw_dir, USER=USER, LOGNAME=USER)
        os.chdir(account.pw_dir)


if __name__ == "__main__":
    become()
    main()
