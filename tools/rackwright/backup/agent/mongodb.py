"""MongoDB: its databases as its own program copies them, each document counted on the way."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from rackwright.backup.agent import archive
from rackwright.backup.agent.contents import Contents, differences, rows_of
from rackwright.backup.agent.files import STAGING, Held
from rackwright.backup.agent.shell import Failed, last_words, run

OWN = ("admin", "config", "local")
ADMIN = "rackwright"
# What was there before a restore, until the next one.
ASIDE = Path("/var/lib/rackwright/mongodb.before-restore")
SUFFIX = ".archive"
# The form of the archives of MongoDB's Database Tools (mongo-tools, common/archive): a number; a block that
# says what is in it; blocks of documents, each of them with a head that names its collection.
MAGIC = (0x8199E26D).to_bytes(4, "little")
END = b"\xff\xff\xff\xff"
LEAST, MOST = 5, 48 << 20
_STRING, _TRUE = b"\x02", b"\x01"
_SCRIPT = (
    "{ let told; try { const admin = db.getSiblingDB('admin');"
    " admin.auth('%s', JSON.parse(require('fs').readFileSync('/run/secrets/tools.yaml', 'utf8')).password);"
    " told = {version: admin.runCommand({buildInfo: 1}).version, sizes: {}};"
    " for (const entry of admin.runCommand({listDatabases: 1, nameOnly: true}).databases)"
    " { told.sizes[entry.name] = Number(db.getSiblingDB(entry.name).runCommand({dbStats: 1}).dataSize); } }"
    " catch (error) { told = {failed: String(error.message)}; }"
    " print('@@rackwright' + JSON.stringify(told) + 'rackwright@@'); }\n"
)


def send(store: dict[str, Any], out: IO[bytes], held: Held) -> None:
    """Have each database copied, and send the copies with what they hold."""
    STAGING.mkdir(mode=0o700, parents=True, exist_ok=True)
    version, sizes = look(store)
    needed, free = sum(sizes.values()), shutil.disk_usage(STAGING).free
    if needed * 1.1 > free:
        raise Failed(f"a copy takes {needed >> 20} MB, {STAGING} has {free >> 20} MB free")
    with tempfile.TemporaryDirectory(dir=STAGING) as place:
        contents = dump(store, sorted(sizes), Path(place))
        held()
        items = [(f"{name}{SUFFIX}", Path(place) / f"{name}{SUFFIX}") for name in contents]
        archive.send(out, items, {"kind": "mongodb", "version": version, "contents": contents})


def receive(store: dict[str, Any], source: IO[bytes]) -> dict[str, Any]:
    """Put databases in the place of those that are there, which are kept; others stay as they are.

    Raises:
        Failed: The copy is damaged, of another series, or holds something else: nothing was changed. Or what
            is there afterwards is not what was copied.
    """
    STAGING.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=STAGING) as held:
        place = Path(held)
        manifest = archive.receive(source, place)
        compared(place, manifest)
        version, sizes = look(store)
        if version != manifest["version"]:
            raise Failed(
                f"the backup is of MongoDB {manifest['version']}, this host has {version};"
                " nothing was changed",
                f"take a host with MongoDB {manifest['version']}",
            )
        wanted: Contents = manifest["contents"]
        shutil.rmtree(ASIDE, ignore_errors=True)
        ASIDE.mkdir(mode=0o700, parents=True)
        dump(store, sorted(set(sizes) & set(wanted)), ASIDE)
        for name in wanted:
            with (place / f"{name}{SUFFIX}").open("rb") as file:
                _tool(store, "mongorestore", ["--drop", f"--nsInclude={name}.*"], stdin=file)
        with tempfile.TemporaryDirectory(dir=STAGING) as again:
            found = dump(store, sorted(wanted), Path(again))
    different = differences(wanted, found)
    if different:
        raise Failed(
            f"what is there is not what was copied: {'; '.join(different[:3])}",
            f"what was there before is in {ASIDE}; did a program write meanwhile?",
        )
    return {
        "kind": "mongodb",
        "rows": rows_of(found),
        "rows_in_backup": rows_of(wanted),
        "aside": str(ASIDE),
    }


def compared(place: Path, manifest: dict[str, Any]) -> int:
    """Read a copy through; return how many documents it has.

    Raises:
        Failed: It is no whole archive, or holds something else than its manifest says.
    """
    wanted: Contents = manifest["contents"]
    found: Contents = {}
    for name in wanted:
        with (place / f"{name}{SUFFIX}").open("rb") as file:
            found |= {name: {}} | contents_of(file)
    different = differences(wanted, found)
    if different:
        raise Failed(f"the backup is not what it was: {'; '.join(different[:3])}; nothing was changed")
    return rows_of(wanted)


def look(store: dict[str, Any]) -> tuple[str, dict[str, int]]:
    """Return the server's series, such as 8.0, and its databases with their bytes."""
    words = ["docker", "exec", "-i", store["container"], "mongosh", "--quiet", "--norc"]
    words += ["--host", store["server"], "--port", "27017", "--tls", "--tlsCAFile", "/tls-ca.pem"]
    done = run(words, data=_SCRIPT % ADMIN, check=False)
    found = re.search(r"@@rackwright(\{.*\})rackwright@@", done.stdout)
    silent = {"failed": last_words(done.stderr or done.stdout, 2)}
    told: dict[str, Any] = json.loads(found.group(1)) if found else silent
    if "failed" in told:
        raise Failed(f"MongoDB does not answer: {told['failed']}", f"docker logs {store['container']}")
    sizes = {name: int(size) for name, size in told["sizes"].items() if name not in OWN}
    return ".".join(told["version"].split(".")[:2]), sizes


def dump(store: dict[str, Any], names: list[str], place: Path) -> Contents:
    """Copy databases into a directory, an archive for each; return what they hold."""
    contents: Contents = {}
    for name in names:
        path = place / f"{name}{SUFFIX}"
        with path.open("wb") as file:
            _tool(store, "mongodump", [f"--db={name}"], stdout=file)
        with path.open("rb") as file:
            contents |= {name: {}} | contents_of(file)
    return contents


def contents_of(file: IO[bytes]) -> Contents:
    """Return of each collection in an archive its documents, and the sum of their hashes.

    Raises:
        Failed: It is none, or ends before its end.
    """
    if file.read(4) != MAGIC:
        raise Failed("the copy is no archive of mongodump")
    found: dict[tuple[str, str], tuple[int, int]] = {}
    ended: set[tuple[str, str]] = set()
    begun = False
    for head, bodies in _blocks(file):
        if not begun:
            # The first block tells what follows: of the views in it no documents do.
            begun = True
            continue
        name = (str(head["db"]), str(head["collection"]))
        count, total = found.get(name, (0, 0))
        for body in bodies:
            count += 1
            total += int.from_bytes(hashlib.blake2b(body, digest_size=8).digest(), "big")
        found[name] = (count, total & (1 << 64) - 1)
        if head.get("EOF"):
            ended.add(name)
    if not begun or set(found) != ended:
        raise Failed("the copy ends before its end")
    contents: Contents = {}
    for (database, collection), (count, total) in found.items():
        contents.setdefault(database, {})[collection] = [count, str(total)]
    return contents


def _blocks(file: IO[bytes]) -> Iterator[tuple[dict[str, Any], Iterator[bytes]]]:
    while (head := _document(file, begins=True)) is not None:
        bodies = _bodies(file)
        yield _head(head), bodies
        # Whoever does not want them gets to the next block all the same.
        for _ in bodies:
            pass


def _bodies(file: IO[bytes]) -> Iterator[bytes]:
    while (body := _document(file)) is not None:
        yield body


def _document(file: IO[bytes], *, begins: bool = False) -> bytes | None:
    """Return a document in BSON; None at the end of a block, or of the file where a block would begin."""
    length = file.read(4)
    if (begins and not length) or (not begins and length == END):
        return None
    size = int.from_bytes(length, "little")
    if len(length) < len(END) or not LEAST <= size <= MOST:
        raise Failed("the copy ends before its end, or is damaged")
    body = length + file.read(size - 4)
    if len(body) != size or body[-1:] != b"\0":
        raise Failed("the copy ends before its end, or is damaged")
    return body


def _head(document: bytes) -> dict[str, Any]:
    """Return the texts and truths of a document whose values are small."""
    found: dict[str, Any] = {}
    at = 4
    while (kind := document[at : at + 1]) != b"\0":
        end = document.index(b"\0", at + 1)
        name, at = document[at + 1 : end].decode(), end + 1
        if kind == _STRING:
            size = int.from_bytes(document[at : at + 4], "little")
            found[name], at = document[at + 4 : at + 3 + size].decode(), at + 4 + size
        elif kind == b"\x08":
            found[name], at = document[at : at + 1] == _TRUE, at + 1
        elif kind in (b"\x10", b"\x12"):
            at += 4 if kind == b"\x10" else 8
        else:
            raise Failed(f"the copy has a head with {name!r}, which no archive of mongodump has")
    return found


def _tool(
    store: dict[str, Any],
    program: str,
    options: list[str],
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    stdout: IO[bytes] | int = subprocess.DEVNULL,
) -> None:
    """Run a program of the container, which reads its password there."""
    words = ["docker", "exec", "-i", store["container"], program, "--config=/run/secrets/tools.yaml"]
    words += [f"--host={store['server']}", "--port=27017", f"--username={ADMIN}"]
    words += ["--authenticationDatabase=admin", "--ssl", "--sslCAFile=/tls-ca.pem", "--archive", *options]
    done = subprocess.run(words, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        told = last_words(done.stderr.decode(errors="replace"), 2)
        raise Failed(f"{program} ended with {done.returncode}: {told}")
