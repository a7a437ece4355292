"""What another host sends: its stream, when it is held apart from what is written on, and why it failed."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Sequence
from typing import IO, Any

from rackwright.backup.agent.shell import Failed, last_words

HELD = '{"held": true}'


class Sender:
    """A program that sends a store on its standard output, and says on the other what comes of it.

    As soon as what it sends cannot change any more it says so (`HELD`), before all of it was read.
    """

    def __init__(self, store: str, command: Sequence[str]) -> None:
        self._store = store
        self._program = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._said: list[str] = []
        self._held = threading.Event()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def stream(self) -> IO[bytes]:
        """What it sends."""
        assert self._program.stdout is not None  # noqa: S101 - opened above
        return self._program.stdout

    def _listen(self) -> None:
        assert self._program.stderr is not None  # noqa: S101 - opened above
        for line in self._program.stderr:
            text = line.decode(errors="replace").strip()
            if text == HELD:
                self._held.set()
            else:
                self._said.append(text)
        # Ended before that: whoever waits learns of it from `finish`.
        self._held.set()

    def await_held(self, seconds: float) -> bool:
        """Wait until what is sent cannot change any more; return whether that came to be."""
        return self._held.wait(max(seconds, 0))

    def finish(self) -> None:
        """Wait for its end.

        Raises:
            Failed: It did not end well.
        """
        self._close()
        if self._program.returncode:
            raise Failed(*explained(self._store, "\n".join(self._said)))

    def stop(self) -> None:
        """End it when it has not ended."""
        if self._program.poll() is None:
            self._program.kill()
        self._close()

    def _close(self) -> None:
        self._program.wait()
        self._listener.join()
        for stream in (self._program.stdout, self._program.stderr):
            if stream is not None:
                stream.close()


def explained(store: str, said: str) -> tuple[str, str]:
    """Return in words, with a hint, why a host did not send or take a store."""
    for line in said.splitlines():
        if line.startswith("{") and "failed" in line:
            answer: dict[str, Any] = json.loads(line)
            return f"{store}: {answer['failed']}", str(answer.get("hint", ""))
    return (
        f"{store}: its host sent nothing: {last_words(said, 2)}",
        "is the host up, and may it be reached on port 22?",
    )
