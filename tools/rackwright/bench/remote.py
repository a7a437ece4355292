"""Runs a script as root on a host of a lab, over one new SSH connection, as a plain script's author would."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field

from rackwright.errors import RackwrightError
from rackwright.lab.access import ssh_command
from rackwright.lab.model import Lab, LabHost

_LONGEST_SECONDS = 900.0


@dataclass(frozen=True)
class Outcome:
    """What a script said; its output can hold secrets and is never printed.

    Attributes:
        seconds: From before the connection was opened until it was closed.
        output: Standard output.
    """

    seconds: float
    output: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The output as text."""
        return self.output.decode("utf-8", "replace")


@dataclass(frozen=True)
class Remote:
    """A host that scripts can be sent to."""

    lab: Lab
    host: LabHost

    def run(self, script: str, payload: bytes = b"") -> Outcome:
        """Run a script with bash.

        Args:
            script: Ends with `exit` on the line of its last command when there is a payload.
            payload: What the script's own commands read from standard input, after the script itself.

        Raises:
            RackwrightError: The script failed, or took more than 900 s.
        """
        command = ssh_command(self.lab, self.host, ["sudo", "-n", "bash", "-s"])
        started = time.monotonic()
        try:
            done = subprocess.run(
                command,
                input=script.encode() + payload,
                capture_output=True,
                check=False,
                timeout=_LONGEST_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise RackwrightError(f"{self.host.name}: no end after {_LONGEST_SECONDS:.0f} s") from error
        seconds = time.monotonic() - started
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-15:]
            raise RackwrightError(
                f"{self.host.name}: the script failed with {done.returncode}\n" + "\n".join(said)
            )
        return Outcome(seconds, done.stdout)

    def text(self, script: str) -> str:
        """Run a script and return what it printed."""
        return self.run(script).text
