"""Work on strangers' input in a process of its own, with a limit on time, memory and output.

A parser that loops, swells or crashes takes nothing with it but its own process. The program is one of
this package's modules; it reads a JSON object's line and whatever follows from standard input, and writes
one JSON object.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sys
from pathlib import Path
from typing import IO, Any

_MEGABYTE = 1024 * 1024
_OUTPUT_BYTES = 64 * _MEGABYTE
# Of the environment nothing is needed, and it may hold secrets.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


class BoundedError(Exception):
    """The work did not come to its end.

    Attributes:
        reason: ``timeout``, ``memory`` or ``crashed``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def run_bounded(
    module: str, task: dict[str, Any], *, seconds: float, memory_mb: int, source: IO[bytes] | None = None
) -> dict[str, Any]:
    """Runs a module of this package as a program.

    Args:
        module: Its name, such as ``rackwright_app.rag.parse``.
        task: What it is to do; it is told by its only argument, so nothing secret belongs in it, unless
            ``source`` is None: then it is told by standard input.
        seconds: Longest time, of the clock and of the processor.
        memory_mb: Its address space.
        source: An open file that becomes its standard input.

    Returns:
        What it wrote.

    Raises:
        BoundedError: It took too long or too much, or broke.
    """
    limits = json.dumps({"seconds": int(seconds) + 1, "memory_mb": memory_mb})
    argument = json.dumps(task) if source is not None else ""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-m", module, limits, argument),
        stdin=source if source is not None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_ENVIRONMENT,
        limit=_OUTPUT_BYTES,
    )
    told = None if source is not None else json.dumps(task).encode()
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate(told)
    except TimeoutError as error:
        raise BoundedError("timeout") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode == _OUT_OF_MEMORY:
        raise BoundedError("memory")
    try:
        answer = json.loads(output)
    except ValueError as error:
        raise BoundedError("crashed") from error
    if process.returncode != 0 or not isinstance(answer, dict):
        raise BoundedError("crashed")
    return answer


_OUT_OF_MEMORY = 77


def limited(arguments: list[str]) -> dict[str, Any]:
    """Takes the limits upon this process and returns its task; the first thing that such a program does.

    Args:
        arguments: ``sys.argv``.
    """
    limits = json.loads(arguments[1])
    size = limits["memory_mb"] * _MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CPU, (limits["seconds"], limits["seconds"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Where memory ends all the same, this process goes and not a worker.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    task: dict[str, Any] = json.loads(arguments[2] or sys.stdin.buffer.read())
    return task


def answer_and_end(work: Any, task: dict[str, Any]) -> None:  # noqa: ANN401 - a function of the task
    """Does the work and writes what it returned; memory that ends is told by the exit status."""
    try:
        answer = json.dumps(work(task)).encode()
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
