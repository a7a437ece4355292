#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Installs a release of the app beside the others and lets `current` lead to it: the half on the host."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.verified import Watch

DOCUMENTATION = r"""
---
module: app_release
short_description: Install a release of a Python program beside the others and let C(current) lead to it
description:
  - The archive is made by C(rackwright wheelhouse build). It goes into a virtual environment of its own,
    C(releases/<first 16 digits of its checksum>), from its own wheels alone and checked by their hashes.
  - C(current) is switched in one step. A release counts only once it is whole; one that was interrupted is
    made anew.
  - C(release.json) is written when C(current) has been switched; its time says when the service must restart.
  - One remote call when the release is there, two and a transfer when it is not.
options:
  root:
    description: Where releases lie.
    type: path
    required: true
  archive:
    description: The archive on the control node; the action sends it when the host lacks the release.
    type: path
    required: true
  sha256:
    description: Its checksum, 64 hexadecimal digits.
    type: str
    required: true
  python:
    description: The interpreter.
    type: path
    required: true
  keep:
    description: How many releases stay, this one included.
    type: int
    default: 3
  proof:
    description: A program of the release and its arguments, which must end well before the release counts.
    type: list
    elements: str
    default: [rackwright-app, --version]
  upload:
    description: Where the action has put the archive on the host.
    type: path
attributes:
  check_mode: {support: full, description: Says what would be done.}
  diff_mode: {support: full, description: Shows the release before and after.}
author: [Rackwright]
"""

EXAMPLES = r"""
- name: Install the app
  app_release:
    root: /opt/rackwright/app
    archive: "{{ app_wheelhouse.archive }}"
    sha256: "{{ app_wheelhouse.sha256 }}"
    python: /usr/bin/python3.13
"""

RETURN = r"""
release: {description: The release that C(current) leads to., type: str, returned: success}
previous: {description: The one before, or an empty text., type: str, returned: success}
reason: {description: Why something changed., type: str, returned: changed}
"""

_BLOCK = 1 << 20
_COMPLETE = ".complete"
_STAGE = ".stage"
_MEMBER = re.compile(r"(?:(?:wheels|installer)/[A-Za-z0-9_.+-]+\.whl|requirements\.txt|wheelhouse\.json)")
_TOLD_LINES = 15


class ReleaseError(Exception):
    """The release cannot be installed; the text says why."""


class Releases:
    """The directory of releases on this host."""

    def __init__(self, root: Path, release: str) -> None:
        self.root = root
        self.release = release
        self.path = root / "releases" / release
        self.current = root / "current"
        self.facts = root / "release.json"

    @property
    def complete(self) -> bool:
        """Whether the release is there, whole."""
        return (self.path / _COMPLETE).is_file()

    def led_to(self) -> str:
        """The release that `current` leads to, an empty text without one."""
        return self.current.readlink().name if self.current.is_symlink() else ""

    def told(self) -> str:
        """The release that `release.json` names, an empty text without one."""
        try:
            return str(json.loads(self.facts.read_text(encoding="utf-8"))["release"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def install(self, archive: Path, sha256: str, python: str, proof: list[str]) -> None:
        """Unpack the archive, install it from its own wheels, and have it prove that it starts."""
        found = _sha256_of(archive)
        if found != sha256:
            raise ReleaseError(f"the archive arrived with SHA-256 {found}, expected {sha256}")
        if self.path.exists():
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True, mode=0o755)
        stage = self.path / _STAGE
        _unpack(archive, stage)
        # Without pip in the environment: what serves needs none, and Debian's python3-venv is not needed
        # either.
        _run([python, "-m", "venv", "--without-pip", str(self.path)])
        installer = next((stage / "installer").glob("pip-*.whl"), None)
        if installer is None:
            raise ReleaseError("the archive has no installer")
        interpreter = str(self.path / "bin" / "python")
        _run(
            [
                interpreter,
                f"{installer}/pip",
                *("install", "--no-index", "--no-deps", "--require-hashes", "--only-binary=:all:"),
                *("--find-links", "wheels", "--no-cache-dir", "--disable-pip-version-check", "--no-input"),
                *("--root-user-action", "ignore", "--requirement", "requirements.txt"),
            ],
            cwd=stage,
        )
        _run([str(self.path / "bin" / proof[0]), *proof[1:]])
        shutil.rmtree(stage)
        _write(self.path / _COMPLETE, "")

    def switch(self) -> None:
        """Let `current` lead to the release, in one step."""
        if self.led_to() != self.release:
            new = self.root / ".current.new"
            new.unlink(missing_ok=True)
            new.symlink_to(Path("releases") / self.release)
            new.replace(self.current)
        _write(self.facts, json.dumps({"release": self.release}) + "\n")

    def prune(self, keep: int) -> None:
        """Remove the oldest releases; the one in use and the one before it stay."""
        others = [path for path in self.path.parent.iterdir() if path.name != self.release]
        others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in others[max(1, keep - 1) :]:
            shutil.rmtree(path)


def _unpack(archive: Path, into: Path) -> None:
    with tarfile.open(archive) as members:
        for member in members:
            content = members.extractfile(member) if member.isfile() else None
            if content is None or not _MEMBER.fullmatch(member.name):
                raise ReleaseError(f"the archive holds {member.name!r}, which does not belong there")
            target = into / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                shutil.copyfileobj(content, out, _BLOCK)


def _run(command: list[str], cwd: Path | None = None) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "PIP_CONFIG_FILE": os.devnull,
        "LC_ALL": "C.UTF-8",
        "HOME": "/nonexistent",
    }
    try:
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ReleaseError(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode:
        told = "\n".join((done.stderr or done.stdout).strip().splitlines()[-_TOLD_LINES:])
        raise ReleaseError(f"{' '.join(command[:3])} … ended with {done.returncode}:\n{told}")


def _write(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    new.replace(path)


def _sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as reader:
        while block := reader.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _reason(releases: Releases) -> str:
    if not releases.complete:
        return "not there"
    if releases.led_to() != releases.release:
        return "current leads elsewhere"
    return "" if releases.told() == releases.release else "not announced"


def _bring(module: AnsibleModule, releases: Releases) -> dict[str, Any]:
    previous = releases.led_to()
    reason = _reason(releases)
    result: dict[str, Any] = {"changed": bool(reason), "release": releases.release, "previous": previous}
    if not reason:
        return result
    result |= {"reason": reason, "diff": {"before": f"{previous}\n", "after": f"{releases.release}\n"}}
    if module.check_mode:
        return result
    if not releases.complete:
        upload = module.params["upload"]
        if upload is None:
            return result | {"waiting": True}
        releases.install(
            Path(upload), module.params["sha256"].lower(), module.params["python"], module.params["proof"]
        )
    releases.switch()
    releases.prune(module.params["keep"])
    return result


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "sha256": {"type": "str", "required": True},
            "python": {"type": "path", "required": True},
            "keep": {"type": "int", "default": 3},
            "proof": {"type": "list", "elements": "str", "default": ["rackwright-app", "--version"]},
            "upload": {"type": "path"},
        },
        supports_check_mode=True,
    )
    if not re.fullmatch(r"[0-9a-fA-F]{64}", module.params["sha256"]):
        module.fail_json(msg=f"app_release: sha256: {module.params['sha256']!r} is not a SHA-256")
    os.umask(0o022)
    releases = Releases(Path(module.params["root"]), module.params["sha256"][:16].lower())
    looked_at = (releases.current, releases.facts, releases.path / _COMPLETE)
    watch = Watch(module, {"paths": [str(path) for path in looked_at]})
    try:
        result = _bring(module, releases)
    except (ReleaseError, OSError, tarfile.TarError) as error:
        module.fail_json(msg=f"app_release: {error}")
    watch.keep(result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
