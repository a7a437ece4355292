"""Bring pinned files onto a host: the half that runs on the control node."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from rackwright.remote.resident import ResidentModules
from rackwright.sources.site import site_sources

SHA256 = re.compile(r"[0-9a-fA-F]{64}")
BLOCK = 1 << 20


def is_url(source: str) -> bool:
    """Tell whether the host itself fetches the source."""
    return source.startswith(("http://", "https://"))


def checked(items: object, sources: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Refuse what cannot be right before any host is asked, and say where each file comes from.

    Args:
        items: Of the task.
        sources: The site's (docs/sources.md): with a store of files, a host fetches there what has a URL, and
            what the control node does not have.

    Raises:
        AnsibleActionFail: With the item, the value, the rule and what to write instead.
    """
    if not isinstance(items, list) or not items:
        raise AnsibleActionFail("artifact: items is empty; give a list of {dest, source, sha256}")
    result: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        where = f"artifact: items[{index}]"
        if not isinstance(item, dict):
            raise AnsibleActionFail(f"{where}: {item!r} is not a mapping; give {{dest, source, sha256}}")
        for key in ("dest", "source", "sha256"):
            if not item.get(key):
                raise AnsibleActionFail(f"{where}.{key} is missing; give {{dest, source, sha256}}")
        if not SHA256.fullmatch(str(item["sha256"])):
            raise AnsibleActionFail(
                f"{where}.sha256: {item['sha256']!r} is not a SHA-256; "
                "give the 64 hexadecimal digits that `sha256sum` prints"
            )
        source = str(item["source"])
        entry = dict(item)
        entry |= _instead(source, str(item["sha256"]).lower(), sources or {})
        source = str(entry["source"])
        if not is_url(source):
            path = Path(source)
            if not path.is_absolute() or not path.is_file():
                raise AnsibleActionFail(
                    f"{where}.source: {source!r} is no file of the control node; "
                    "give an absolute path of a file that exists, or an http(s) URL that the host reaches"
                )
            entry["size"] = path.stat().st_size
        result.append(entry)
    return result


def _instead(source: str, sha256: str, sources: Mapping[str, Any]) -> dict[str, str]:
    """Return what changes of an item when the site's store of files stands in for its source."""
    store = str(sources.get("files") or "").rstrip("/")
    if not store or not (is_url(source) or not Path(source).is_file()):
        return {}
    authority = str(sources.get("authority") or "")
    return {"source": f"{store}/{sha256}"} | ({"ca_file": authority} if authority else {})


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as reader:
        while block := reader.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


class ActionModule(ResidentModules):
    """Asks the host what it lacks, streams that, and has it put in place."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    decides_here = "verified"

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the task.

        Args:
            tmp: Unused; kept by Ansible for old plugins.
            task_vars: The variables of the host.

        Returns:
            The module's result: changed and items, in the order of the task's items.
        """
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        arguments["items"] = checked(arguments.get("items"), site_sources(self._templar, task_vars))
        arguments["login_user"] = self._get_remote_user()
        first: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        waiting: dict[str, str] = first.pop("waiting", {})
        if first.get("failed") or not waiting:
            return first

        for index, upload in waiting.items():
            item = arguments["items"][int(index)]
            path = Path(item["source"])
            found = checksum(path)
            if found != item["sha256"].lower():
                raise AnsibleActionFail(
                    f"artifact: {path} has SHA-256 {found}, expected {item['sha256']} for {item['dest']}; "
                    "nothing was sent. Get the right file, or correct the checksum if this content is meant"
                )
            if not self._task.check_mode:
                self._transfer_file(str(path), upload)
        if self._task.check_mode:
            return first

        second: dict[str, Any] = self._execute_module(
            module_args={**arguments, "uploaded": True}, task_vars=task_vars
        )
        second.pop("waiting", None)
        if second.get("failed"):
            return second
        # The first call may already have fetched or mended other items; the second found those right.
        second["items"] = [
            after if after["changed"] else before
            for before, after in zip(first["items"], second["items"], strict=True)
        ]
        second["changed"] = first["changed"] or second["changed"]
        return second
