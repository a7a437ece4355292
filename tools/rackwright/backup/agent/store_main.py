"""`rackwright-store`: what the backup host, and restores, ask of a host with state. Runs as root.

By SSH the key of the backup host opens this program alone, and the words of its command are those below;
pgBackRest's own remote half is one of them. On the host itself root may also `restore`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from rackwright.backup.agent import (
    gate,
    given_up,
    hold,
    identity,
    kill,
    postgres,
)
from rackwright.backup.agent.kinds import KINDS, Stream
from rackwright.backup.agent.sender import HELD
from rackwright.backup.agent.shell import Failed, as_user, in_words

SETTINGS = Path("/etc/rackwright/backup/store.json")
LONGEST_PAUSE = 300.0
SEGMENT = re.compile(r"^[0-9A-F]{24}$")


def main() -> None:
    """Do what the command says."""
    given = os.environ.get("SSH_ORIGINAL_COMMAND")
    by_ssh = given is not None
    try:
        with in_words("rackwright-store"):
            _gently()
            words = shlex.split(given) if given is not None else sys.argv[1:]
            dispatch(words, by_ssh)
    except Failed as error:
        print(json.dumps({"failed": error.message, "hint": error.hint}), file=sys.stderr)  # noqa: T201
        sys.exit(3)


def dispatch(words: list[str], by_ssh: bool) -> None:  # noqa: C901 - a table of commands
    """Run one command.

    Raises:
        Failed: It is none of those that may be asked, or did not succeed.
    """
    match words:
        case ["pgbackrest", *_] if by_ssh and gate.permitted(words, gate.OF_A_CLUSTER, None):
            os.execvp("runuser", as_user("postgres", words))  # noqa: S606 - no shell is wanted
        case ["send", name]:
            store = store_of(name)
            _stream_of(store).send(store, sys.stdout.buffer, _say_held)
        case ["receive", name]:
            store = store_of(name)
            _print(_stream_of(store).receive(store, sys.stdin.buffer))
        case ["hold", name]:
            hold.hold(name, LONGEST_PAUSE)
            hold.switch()
        case ["based", name, segment] if SEGMENT.match(segment):
            given_up.forget(store_of(name)["name"], segment)
        case ["facts", name]:
            _print(postgres.facts(store_of(name)))
        case ["restore", name] if not by_ssh:
            _print(postgres.restore(store_of(name), json.load(sys.stdin)))
        case ["identity", *owner] if not by_ssh:
            _print(identity.identity(owner[0] if owner else None))
        case ["kill", name] if not by_ssh:
            _print(kill.kill(store_of(name)))
        case ["watch"] if not by_ssh:
            for name in [name for name, one in settings()["stores"].items() if one["kind"] == "postgresql"]:
                postgres.watch(store_of(name))
        case _:
            raise Failed(f"this may not be asked here: {' '.join(words)[:200]}")


def settings() -> dict[str, Any]:
    """Return this host's settings."""
    return dict(json.loads(SETTINGS.read_text(encoding="utf-8")))


def store_of(name: str) -> dict[str, Any]:
    """Return one store of this host.

    Raises:
        Failed: There is none of this name.
    """
    stores = settings()["stores"]
    if name not in stores:
        raise Failed(f"this host keeps no {name}", f"it keeps {', '.join(stores) or 'nothing'}")
    store = {"name": name, **stores[name]}
    if store["kind"] == "postgresql":
        found = identity.cluster()
        if not found:
            raise Failed("this host has no cluster of PostgreSQL", "rackwright apply makes one")
        store |= found | {"unit": f"postgresql@{found['version']}-main.service"}
    return store


def _stream_of(store: dict[str, Any]) -> Stream:
    stream = KINDS[store["kind"]].stream
    if stream is None:
        raise Failed(f"{store['name']} is of the kind {store['kind']}, which is no stream")
    return stream


def _say_held() -> None:
    print(HELD, file=sys.stderr, flush=True)  # noqa: T201 - `sender.Sender` waits for it


def _print(value: dict[str, Any]) -> None:
    print(json.dumps(value))  # noqa: T201 - the answer


def _gently() -> None:
    """Leave cores and disk to those who serve."""
    os.nice(10)


if __name__ == "__main__":
    main()
