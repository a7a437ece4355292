#!/usr/bin/python3
"""Makes a control node of this machine, from the bundle that this file lies in and from nothing else.

    ./setup-control-node --signer FINGERPRINT [--into /opt/rackwright] [--check]
    ./setup-control-node --join /srv/bundle PART PART …      # first, when the bundle came in parts

It checks the signature of the manifest against the fingerprint that you give, then every file of the bundle
against the manifest, and stops at the first that is wrong, before it changes anything. Then it installs
packages that are missing from the bundle, unpacks the toolkit and makes its environment from the wheels.
It needs Python 3.11 with its standard library, and gpgv or sqv, which Debian's and Ubuntu's apt bring.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
BLOCK = 1 << 20
# From this value on an OpenPGP packet's length takes two bytes.
TWO_BYTES = 192
SYSTEM_PACKAGES = ("python3-venv", "openssh-client", "ca-certificates", "gpg", "gpgv")


def fail(text: str) -> NoReturn:
    """Stop, before anything was changed."""
    sys.exit(f"error: {text}\nnothing was changed")


def dearmoured(path: Path) -> bytes:
    """The key's packets: gpgv wants them without the armour."""
    lines = path.read_text(encoding="ascii").splitlines()
    body = lines[lines.index("") + 1 :]
    return base64.b64decode("".join(line for line in body if not line.startswith(("=", "-"))))


def fingerprint(packets: bytes) -> str:
    """Of the first key (a version 4 public key packet) in a file."""
    first = packets[0]
    if first & 0x40:
        length, start = packets[1], 2
        if length >= TWO_BYTES:
            length, start = ((length - TWO_BYTES) << 8) + packets[2] + TWO_BYTES, 3
    else:
        wide = 1 << (first & 3)
        length, start = int.from_bytes(packets[1 : 1 + wide], "big"), 1 + wide
    body = packets[start : start + length]
    # What a fingerprint is (RFC 4880).
    named = hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False)
    return named.hexdigest().upper()


def check_signature(signer: str) -> None:
    """Stop unless the key that is trusted has signed the manifest."""
    key = HERE / "signer.asc"
    packets = dearmoured(key)
    found = fingerprint(packets)
    if found != signer:
        fail(f"the bundle was signed by {found}, you trust {signer}")
    with tempfile.TemporaryDirectory() as name:
        ring = Path(name) / "signer.gpg"
        ring.write_bytes(packets)
        manifest, signature = HERE / "manifest.json", HERE / "manifest.json.asc"
        if shutil.which("gpgv"):
            command = ["gpgv", "--keyring", str(ring), str(signature), str(manifest)]
        elif shutil.which("sqv"):
            command = ["sqv", "--keyring", str(key), str(signature), str(manifest)]
        else:
            fail("neither gpgv nor sqv is here: install one of them")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        fail(f"the manifest's signature does not fit:\n{done.stderr.strip()}")


def check_contents(files: list[dict[str, Any]]) -> None:
    """Stop at the first file that is missing or another."""
    total, done, told = sum(file["size"] for file in files), 0, -1
    for sha256 in sorted({file["sha256"] for file in files}):
        named = next(file for file in files if file["sha256"] == sha256)
        path = HERE / "objects" / sha256[:2] / sha256
        digest = hashlib.sha256()
        try:
            with path.open("rb") as reader:
                while block := reader.read(BLOCK):
                    digest.update(block)
        except OSError as error:
            fail(f"{named['path']}: missing ({error.strerror}): {path}")
        if digest.hexdigest() != sha256:
            fail(f"{named['path']}: another content: {path}")
        done += named["size"]
        if done * 10 // max(total, 1) > told:
            told = done * 10 // max(total, 1)
            print(f"checked {min(told * 10, 100)} % of {total / 1e6:.0f} MB", flush=True)


def join(target: Path, parts: list[Path]) -> None:
    """Make a bundle of its parts; what is in it is checked when the bundle is used."""
    for part in parts:
        listed = json.loads((part / "part.json").read_text(encoding="utf-8"))
        for piece in listed["pieces"]:
            path = part / "pieces" / f"{piece['sha256']}.{piece['offset']}"
            content = target / "objects" / piece["sha256"][:2] / piece["sha256"]
            content.parent.mkdir(parents=True, exist_ok=True)
            digest = hashlib.sha256()
            with path.open("rb") as reader, content.open("r+b" if content.exists() else "wb") as writer:
                writer.seek(piece["offset"])
                while block := reader.read(BLOCK):
                    digest.update(block)
                    writer.write(block)
            if digest.hexdigest() != piece["own_sha256"]:
                sys.exit(f"error: {path}: damaged; copy this part again from its medium, and join again")
        print(f"part {listed['number']} of {listed['of']} joined", flush=True)
    for path in parts[0].iterdir():
        if path.is_file() and path.name != "part.json":
            shutil.copy2(path, target / path.name)
    shutil.copytree(parts[0] / "signatures", target / "signatures", dirs_exist_ok=True)


def link_tree(files: list[dict[str, Any]]) -> Path:
    """Give the contents their names, below `tree`: anew, since what was checked are the contents."""
    tree = HERE / "tree"
    try:
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
    except OSError as error:
        fail(f"{tree} cannot be made anew ({error.strerror}): copy the bundle to a writable disk")
    for file in files:
        name = tree / file["path"]
        name.parent.mkdir(parents=True, exist_ok=True)
        content = HERE / "objects" / file["sha256"][:2] / file["sha256"]
        try:
            os.link(content, name)
        except OSError:
            shutil.copyfile(content, name)
    for file in files:
        signature = HERE / "signatures" / f"{file['path'].replace('/', '_')}.asc"
        if signature.is_file():
            shutil.copyfile(signature, (tree / file["path"]).with_name("Release.gpg"))
    return tree


def system() -> str:
    """Return this machine's system, as a bundle names it."""
    text = Path("/etc/os-release").read_text(encoding="utf-8")
    fields = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    )
    return f"{fields['ID']}-{fields['VERSION_ID']}/{architecture.stdout.strip()}"


def install_packages(tree: Path) -> None:
    """Install what is missing of the system's packages, from the bundle alone."""
    missing = [name for name in SYSTEM_PACKAGES if not is_installed(name)]
    if not missing:
        return
    here = system()
    if not (tree / "apt" / here).is_dir():
        fail(f"missing here: {', '.join(missing)}; the bundle has no packages for {here}")
    # An apt that sees the bundle alone; what this machine was told of its own sources stays as it is.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        listed = Path(name) / "bundle.list"
        listed.write_text(f"deb [signed-by={HERE}/signer.asc] file:{tree}/apt {here}/\n", encoding="utf-8")
        options = [
            "-o",
            f"Dir::Etc::SourceList={listed}",
            "-o",
            "Dir::Etc::SourceParts=/dev/null",
            "-o",
            f"Dir::State::Lists={name}/lists",
            "-o",
            "APT::Sandbox::User=root",
        ]
        (Path(name) / "lists/partial").mkdir(parents=True)
        subprocess.run(["apt-get", *options, "-q", "update"], check=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(
            ["apt-get", *options, "-q", "-y", "--no-install-recommends", "install", *missing],
            check=True,
            env=environment,
        )


def is_installed(name: str) -> bool:
    """Ask dpkg."""
    command = ["dpkg-query", "-W", "-f=${Status}", name]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout == "install ok installed"


def install_toolkit(tree: Path, into: Path) -> None:
    """Unpack the toolkit and make its environment, from the bundle alone."""
    into.mkdir(parents=True, exist_ok=True)
    with tarfile.open(tree / "toolkit/rackwright.tar") as archive:
        archive.extractall(into, members=[_stripped(member) for member in archive], filter="tar")
    environment = into / ".venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip = [str(environment / "bin/pip"), "--disable-pip-version-check", "--no-input"]
    only = ["--no-index", "--find-links", str(tree / "python/wheels")]
    subprocess.run([*pip, "install", "--quiet", *only, "setuptools"], check=True)
    subprocess.run(
        [*pip, "install", "--quiet", *only, "--no-build-isolation", "--editable", str(into)], check=True
    )


def _stripped(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.name = member.name.partition("/")[2] or "."
    return member


def main() -> None:
    """Check, then install."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--signer", help="fingerprint of the key that you trust, 40 digits")
    parser.add_argument(
        "--join", nargs="+", type=Path, metavar="PLACE", help="the bundle to make, then its parts"
    )
    parser.add_argument("--into", type=Path, default=Path("/opt/rackwright"), help="where the toolkit goes")
    parser.add_argument("--check", action="store_true", help="check the bundle and change nothing")
    given = parser.parse_args()
    if given.join:
        if len(given.join) == 1:
            parser.error("--join: name the bundle to make and its parts")
        join(given.join[0].resolve(), given.join[1:])
        return
    if not given.signer:
        parser.error("--signer: whose signature do you trust?")
    check_signature(given.signer.replace(" ", "").upper())
    files = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))["files"]
    check_contents(files)
    print(f"the bundle is whole: {len(files)} files, signed by {given.signer}")
    if given.check:
        return
    tree = link_tree(files)
    install_packages(tree)
    install_toolkit(tree, given.into.resolve())
    print(f"done: source {given.into}/.venv/bin/activate; bundle_directory: {HERE}")


if __name__ == "__main__":
    main()
