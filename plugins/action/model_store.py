"""Keep models' files on a host: the half that runs on the control node."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from rackwright.errors import RackwrightError
from rackwright.remote.pieces import PIECE, written_at
from rackwright.remote.resident import ResidentModules
from rackwright.site.plain import plain

_TENTHS = 10
# From this size on progress is told: bytes.
_LARGE = 256 << 20

# A sender that was killed is believed to be at work for 15 s (module_utils, LEASE).
PATIENCE = 20.0
PAUSE = 2.0

display = Display()


class ActionModule(ResidentModules):
    """Finds the builds, asks the host what it lacks, and sends the rest of that, piece by piece."""

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
        told: dict[str, Any] | None = None
        if arguments.pop("all_held", False):
            told = self._verified(arguments, task_vars)
            if told.get("failed") or not told["damaged"] or not arguments.get("mend", True):
                return told
            arguments["wanted"] = told["damaged_builds"]
        result = self._brought(arguments, task_vars)
        if told is not None and not result.get("failed"):
            result["damaged"] = told["damaged"]
        return result

    def _verified(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Have the host read all that it holds; returns also which builds are damaged."""
        looked: dict[str, Any] = self._execute_module(
            module_args={"root": arguments["root"], "look": True}, task_vars=task_vars
        )
        if looked.get("failed"):
            return looked
        builds = [
            {**build, "files": [{**each, "source": ""} for each in build["files"]]}
            for build in looked["held"]
        ]
        told: dict[str, Any] = self._execute_module(
            module_args={"root": arguments["root"], "builds": builds, "verify": True, "mend": False},
            task_vars=task_vars,
        )
        if not told.get("failed"):
            names = {" ".join(text.split(" ")[:2]) for text in told["damaged"]}
            told["damaged_builds"] = [
                {key: build[key] for key in ("model", "quantisation")}
                for build in builds
                if f"{build['model']} {build['quantisation']}" in names
            ]
        return told

    def _brought(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Find the builds that are wanted, and bring what the host lacks of them."""
        try:
            arguments["builds"] = builds_of(arguments)
        except RackwrightError as error:
            raise AnsibleActionFail(f"models: {error}\n{error.hint or ''}".strip()) from error
        first: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        if first.get("failed") or self._task.check_mode or not first.get("waiting"):
            first.pop("waiting", None)
            return first
        # Only what is sent by a run has its name: a record of a run without sending is the same each time.
        arguments["writer"] = f"{socket.gethostname()} {os.getppid()}"
        claimed = self._claimed(arguments, task_vars)
        waiting: dict[str, int] = {} if claimed.get("failed") else claimed.get("waiting") or {}
        if not waiting:
            claimed.pop("waiting", None)
            return claimed
        files = {str(each["sha256"]): each for build in arguments["builds"] for each in build["files"]}
        for last in (False, True):
            for sha256, there in waiting.items():
                self._send(files[sha256], f"{arguments['root']}/partial/{sha256}", there)
            second: dict[str, Any] = self._execute_module(
                module_args={**arguments, "arrived": sorted(waiting)}, task_vars=task_vars
            )
            waiting = second.pop("waiting", None) or {}
            if second.get("failed") or not waiting:
                break
            if last:
                wrong = ", ".join(str(files[sha256]["source"]) for sha256 in waiting)
                raise AnsibleActionFail(
                    f"models: {wrong}: another content than its manifest says; nothing was replaced. "
                    "Mend the source: `rackwright models verify`"
                )
        second["damaged"] = first["damaged"]
        return second

    def _claimed(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Have the host note that this run sends the files; waits while another one does."""
        until = time.monotonic() + float(arguments.get("wait_seconds") or 0) + PATIENCE
        while True:
            answer: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
            busy = answer.pop("busy", "")
            if not busy:
                return answer
            if time.monotonic() >= until:
                raise AnsibleActionFail(
                    f"models: another run ({busy}) sends the same files to this host; wait for it, or end it"
                )
            time.sleep(PAUSE)

    def _send(self, file: dict[str, Any], target: str, there: int) -> None:
        """Append what is missing of a file; what has come stays there whatever happens."""
        size, told = int(file["size"]), there * _TENTHS // max(int(file["size"]), 1)
        with Path(file["source"]).open("rb") as reader:
            reader.seek(there)
            while True:
                data = reader.read(PIECE)
                answer = self._low_level_execute_command(written_at(target, there), in_data=data or b"")
                if answer["rc"] != 0:
                    said = str(answer["stderr"] or answer["stdout"]).strip()
                    raise AnsibleActionFail(
                        f"models: {file['path']} was cut after {there} of {size} bytes: {said};"
                        " run it again, it goes on there"
                    )
                there += len(data)
                if size >= _LARGE and there * _TENTHS // size > told:
                    told = there * _TENTHS // size
                    display.display(f"{file['path']}: {told * 10} % of {size / 1e9:.1f} GB sent")
                if len(data) < PIECE:
                    return


def builds_of(arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the manifests of the builds that are wanted, each file with its source.

    Raises:
        RackwrightError: One is nowhere, its licence is not accepted, or its source is not whole.
    """
    if arguments.get("look"):
        return []
    found = []
    for wish in arguments.get("wanted") or ():
        # Not before a model is asked for: a run that brings none does without.
        from rackwright.models.store.places import build_of, check_licence  # noqa: PLC0415

        build = build_of(str(wish["model"]), wish.get("quantisation"), arguments.get("places") or ())
        check_licence(build, arguments.get("accept_licences") or ())
        found.append(build)
    return found
