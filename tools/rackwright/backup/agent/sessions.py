"""Sessions of psql that stay open: what locks and snapshots need."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import suppress

from rackwright.backup.agent.shell import Failed, as_user, last_words

_MARK = "rackwright-answer-ends"


class Session:
    """One session with one database, as PostgreSQL's own user through the local socket."""

    def __init__(self, database: str, options: Sequence[str] = (), user: str | None = "postgres") -> None:
        command = ["psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", *options, "-d", database]
        self._program = subprocess.Popen(
            as_user(user, command) if user else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
        )

    def ask(self, sql: str) -> list[str]:
        """Run statements; return the lines of their answers.

        Raises:
            Failed: The server refuses one of them.
        """
        program = self._program
        assert program.stdin is not None  # noqa: S101 - opened above
        assert program.stdout is not None  # noqa: S101
        assert program.stderr is not None  # noqa: S101
        with suppress(BrokenPipeError):
            program.stdin.write(f"{sql}\n;\n\\echo {_MARK}\n")
            program.stdin.flush()
        lines: list[str] = []
        for line in program.stdout:
            if line.rstrip("\n") == _MARK:
                return lines
            lines.append(line.rstrip("\n"))
        raise Failed(f"PostgreSQL refuses: {last_words(program.stderr.read(), 2)}")

    def one(self, sql: str) -> str:
        """Run a statement; return the only line of its answer."""
        lines = self.ask(sql)
        if len(lines) != 1:
            raise Failed(f"PostgreSQL answers {len(lines)} lines, not one, to: {sql}")
        return lines[0]

    def close(self) -> None:
        """End the session; a transaction that is open is rolled back and its locks are gone."""
        if self._program.stdin is not None:
            with suppress(BrokenPipeError):
                self._program.stdin.close()
        try:
            self._program.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._program.kill()
            self._program.wait()

    def __enter__(self) -> Session:  # noqa: D105
        return self

    def __exit__(self, *_: object) -> None:  # noqa: D105
        self.close()
