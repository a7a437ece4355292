"""Bring a bundle onto the host that serves it: the half that runs on the control node."""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from rackwright.bundle.manifest import Manifest
from rackwright.bundle.store import Store
from rackwright.bundle.verify import is_signed, signature_of, trusted_manifest
from rackwright.errors import RackwrightError
from rackwright.remote.pieces import PIECE, written_at
from rackwright.remote.resident import ResidentModules
from rackwright.site.plain import plain

_TENTHS = 10

display = Display()


class ActionModule(ResidentModules):
    """Checks whose bundle it is, names its files here, asks the host what it lacks, and sends that."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    decides_here = "verified"

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the task.

        Args:
            tmp: Unused; kept by Ansible for old plugins.
            task_vars: The variables of the host.

        Returns:
            The module's result.
        """
        super().run(tmp, task_vars)
        arguments: dict[str, Any] = plain(dict(self._task.args))
        directory = Path(str(arguments.pop("bundle", "")))
        try:
            manifest = trusted_manifest(directory, str(arguments.pop("signer", "")))
            # The control node takes wheels and models by them; touches no host, so in check mode as well.
            Store(directory).name(manifest)
        except RackwrightError as error:
            raise AnsibleActionFail(f"bundle_store: {error}") from error
        except OSError as error:
            raise AnsibleActionFail(
                f"bundle_store: bundle_directory is {str(directory)!r}: the names of its files cannot be "
                f"made there ({error.strerror}); have it on a disk that can be written to"
            ) from error
        arguments = {key: value for key, value in arguments.items() if value != ""} | payload(
            directory, manifest
        )
        first: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        waiting: dict[str, int] = first.pop("waiting", None) or {}
        if first.get("failed") or not waiting:
            return first
        self._send(Store(directory), manifest, waiting, f"{arguments['directory']}/incoming")
        second: dict[str, Any] = self._execute_module(
            module_args={**arguments, "sent": True}, task_vars=task_vars
        )
        second.pop("waiting", None)
        return {**second, "brought": first["brought"]} if not second.get("failed") else second

    def _send(self, store: Store, manifest: Manifest, waiting: Mapping[str, int], target: str) -> None:
        """Send contents: small ones together, large ones in pieces, from where an earlier run was cut."""
        sizes = manifest.objects()
        total = sum(sizes[sha256] - there for sha256, there in waiting.items())
        done, told = 0, 0
        small = [sha256 for sha256 in waiting if sizes[sha256] <= PIECE]
        where = shlex.quote(target)
        for archive, size in packed(store, small, sizes):
            self._write(f"tar -xf - --no-same-owner -C {where}", archive)
            done += size
            told = _tell(done, total, told)
        for sha256 in (each for each in waiting if sizes[each] > PIECE):
            there = waiting[sha256]
            with store.path(sha256).open("rb") as reader:
                reader.seek(there)
                while data := reader.read(PIECE):
                    self._write(written_at(f"{target}/{sha256}", there), data)
                    there += len(data)
                    done += len(data)
                    told = _tell(done, total, told)

    def _write(self, command: str, data: bytes) -> None:
        answer = self._low_level_execute_command(command, in_data=data)
        if answer["rc"] != 0:
            said = str(answer["stderr"] or answer["stdout"]).strip()
            raise AnsibleActionFail(f"bundle_store: the copy was cut: {said}; run it again, it goes on there")


def payload(directory: Path, manifest: Manifest) -> dict[str, Any]:
    """Return what the host is told of a bundle.

    Args:
        directory: The bundle.
        manifest: Its own, checked.
    """
    return {
        "digest": manifest.digest,
        "files": [{"path": each.path, "sha256": each.sha256, "size": each.size} for each in manifest.entries],
        "signatures": {
            f"{each.path}.gpg": signature_of(directory, each.path).read_text(encoding="ascii")
            for each in manifest.entries
            if is_signed(each)
        },
    }


def packed(store: Store, small: list[str], sizes: Mapping[str, int]) -> Iterator[tuple[bytes, int]]:
    """Yield archives of small contents, each about a piece large, with the bytes of their contents."""
    waiting = list(small)
    while waiting:
        buffer, size = io.BytesIO(), 0
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            while waiting and size + sizes[waiting[0]] <= PIECE:
                sha256 = waiting.pop(0)
                member = tarfile.TarInfo(sha256)
                member.size, member.mode = sizes[sha256], 0o644
                with store.path(sha256).open("rb") as content:
                    archive.addfile(member, content)
                size += sizes[sha256]
        yield buffer.getvalue(), size


def _tell(done: int, total: int, told: int) -> int:
    tenth = done * _TENTHS // total if total else _TENTHS
    if tenth > told:
        display.display(f"bundle: {tenth * 10} % of {total / 1e6:.0f} MB sent")
    return max(tenth, told)
