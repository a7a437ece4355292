"""What was found in place, kept on the host so that the next run need not look at all of it again.

A record says: with this input (its digest, made on the control node with a salt of this host) the module
found everything in place, changed nothing, and these things then had this fingerprint. It is made by such a
call only; one that changed something leaves none. It has no secret: of the input it knows the digest alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.module_utils.rackwright.fingerprint import Look, Subjects, UnseenError, newest_change

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SALT = "salt"
# A change within the same tick of the file system's clock as the look would not be seen: seconds.
SETTLED = 0.5
# More records than a host has blocks: what is oldest goes.
KEEP = 200
# modules/<generation>/ansible/module_utils/rackwright/verified.py
_HERE = Path(__file__).resolve().parents
GENERATION = _HERE[3].name
_DIGEST = re.compile(r"[0-9a-f]{64}")


def directory() -> Path:
    """Where the records are: beside the directory of the modules, /var/lib/rackwright/state."""
    return _HERE[5] / "state"


class Watch:
    """Looks before the module does; keeps what it found when nothing has changed till after."""

    def __init__(self, module: AnsibleModule, subjects: Subjects) -> None:
        """Take the fingerprint, if the control node asked for a record."""
        self._module = module
        self._digest = sys.argv[1] if len(sys.argv) > 1 and _DIGEST.fullmatch(sys.argv[1]) else ""
        self._subjects = {kind: entries for kind, entries in subjects.items() if entries}
        self._before = ""
        if self._digest and not module.check_mode:
            self._began = time.time()
            self._before = self._fingerprint()

    def keep(
        self, result: dict[str, Any], until: float | None = None, *, with_arguments: bool = False
    ) -> None:
        """Keep a result that changed nothing.

        Args:
            result: What the module is about to return.
            until: From when on it has to be looked at again in any case, in seconds since the epoch.
            with_arguments: Whether the result tells the module's arguments, as Ansible does; without secrets.
        """
        if not self._before or result.get("changed") or newest_change(self._subjects) > self._began - SETTLED:
            return
        if self._fingerprint() != self._before:
            return
        told = {key: value for key, value in result.items() if key != "invocation"}
        if with_arguments:
            # Loading it takes longer than a look at all records, which is all that most runs do here.
            from ansible.module_utils.common.parameters import remove_values  # noqa: PLC0415

            arguments = remove_values(self._module.params, self._module.no_log_values)
            told["invocation"] = {"module_args": arguments}
        record = {
            "made": self._began, "until": until, "generation": GENERATION,
            "subjects": self._subjects, "fingerprint": self._before, "result": told,
        }  # fmt: skip
        # What cannot be kept is asked for again; that is all.
        with contextlib.suppress(OSError):
            _write(directory(), self._digest, json.dumps(record))

    def _fingerprint(self) -> str:
        try:
            found: str = Look(self._subjects.get("units", [])).fingerprint(self._subjects)
        except (UnseenError, OSError):
            return ""
        return found


def verified(state: Path, *, tidy: bool = True) -> dict[str, Any]:
    """Return the results whose subjects nobody has touched since, by digest.

    Args:
        state: Where the records are.
        tidy: Whether records that no longer hold are removed.
    """
    records: dict[str, dict[str, Any]] = {}
    gone: list[str] = []
    for path in _records(state):
        record = _read(path)
        if record is None:
            gone.append(path.name)
        elif record["generation"] == GENERATION:
            # Another version's is left to its next run.
            records[path.name] = record
    try:
        look = Look(name for record in records.values() for name in record["subjects"].get("units", []))
    except (UnseenError, TypeError):
        return {}
    results = {}
    for digest, record in records.items():
        try:
            same = look.fingerprint(record["subjects"]) == record["fingerprint"]
        except (UnseenError, OSError, KeyError, TypeError, ValueError):
            same = False
        if same:
            results[digest] = record["result"]
        else:
            gone.append(digest)
    if tidy:
        for digest in gone:
            with contextlib.suppress(OSError):
                (state / digest).unlink()
    return results


def salt(state: Path, *, make: bool = True) -> str:
    """Return this host's salt; empty when there is none and none may be made, or it is not safe to use."""
    try:
        return (state / SALT).read_text(encoding="ascii")
    except OSError:
        pass
    if not make:
        return ""
    import secrets  # noqa: PLC0415 - once in the life of a host

    try:
        _write(state, SALT, secrets.token_hex(32))
        return (state / SALT).read_text(encoding="ascii")
    except OSError:
        return ""


def _read(path: Path) -> dict[str, Any] | None:
    """Return a record whose time has neither ended nor not yet come, or None."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        now, until = time.time(), record["until"]
        whole = all(isinstance(record[key], dict) for key in ("subjects", "result"))
        # One from the future was made before the clock was set back: its times tell nothing.
        good = whole and record["generation"] and record["made"] <= now and (until is None or now < until)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(record) if good else None


def _records(state: Path) -> list[Path]:
    """The records, the oldest beyond the limit left out and removed."""
    try:
        about = state.stat()
        # Others than root could have written what is in it.
        if about.st_uid != os.geteuid() or about.st_mode & 0o077:
            return []
        found = [path for path in state.iterdir() if _DIGEST.fullmatch(path.name)]
        found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        return []
    for path in found[KEEP:]:
        with contextlib.suppress(OSError):
            path.unlink()
    return found[:KEEP]


def _write(state: Path, name: str, text: str) -> None:
    """Write a file that is either there as a whole or not at all, and root's alone."""
    import tempfile  # noqa: PLC0415 - most runs write nothing

    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    state.chmod(0o700)
    descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=state)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).replace(state / name)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
