"""Holds many streams open at one worker of the app, on one core; the engine answers from a recorded stream.

A program of its own: it is sent to a host of the app and runs there in the app's environment, as root. It
records one answer of the site's engine, plays it again to everyone at a steady pace, starts a second instance
of the app beside the host's own (same settings, one worker, another port, an audit file of its own), and asks
it. On standard input is one JSON object (`Work`), on standard output another (`Seen`).
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TypedDict

import httpx

from rackwright_app.settings import Settings, load_settings

USER = "rackwright-app"
ENGINE_PORT, API_PORT, METRICS_PORT = 3981, 3982, 3983
CA = "/etc/rackwright/tls/ca.pem"
_START_SECONDS = 60
_GATHER_SECONDS = 100
"""How long an answer stops half-way for the last ones to ask; the app gives an engine up after 120."""
_TOGETHER = 25
"""Streams that are opened at a time: a worker takes a moment for each handshake."""


class Work(TypedDict):
    """How many streams, one token each, and seconds that an answer takes."""

    tokens: list[str]
    seconds: float


class Seen(TypedDict):
    """What was seen; memory in MB, with what is shared between processes counted in parts."""

    asked: int
    whole: int
    errors: list[str]
    most_open: int
    seconds: float
    events: int
    idle_mb: float
    busy_mb: float
    cpu_percent: float


async def recorded(settings: Settings) -> list[bytes]:
    """Returns the events of one answer of the site's own engine."""
    engine = settings.engine
    question = [{"role": "user", "content": "What is a rack?"}]
    body = {"model": engine.model, "messages": question, "stream": True, "max_tokens": 60}
    headers = {"Authorization": f"Bearer {engine.api_key.get_secret_value()}"}
    context = ssl.create_default_context(cafile=engine.ca)
    async with httpx.AsyncClient(verify=context, timeout=60, headers=headers, trust_env=False) as client:
        url = f"{str(engine.urls[0]).rstrip('/')}/chat/completions"
        async with client.stream("POST", url, json=body) as answer:
            answer.raise_for_status()
            lines = [line async for line in answer.aiter_lines() if line]
    return [f"{line}\n\n".encode() for line in lines]


async def played(events: list[bytes], seconds: float, number: int) -> asyncio.Server:
    """Serves the recording to whoever asks; the second half of it once so many have."""
    pause, asked, everybody = seconds / len(events), 0, asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            if head.startswith("get"):
                body = b'{"object":"list","data":[]}'
                kind = b"application/json\r\nContent-Length: " + str(len(body)).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: " + kind + b"\r\n\r\n" + body
                )
            else:
                nonlocal asked
                await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
                asked += 1
                if asked == number:
                    everybody.set()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
                )
                for place, event in enumerate(events):
                    if place == len(events) // 2:
                        await asyncio.wait_for(everybody.wait(), _GATHER_SECONDS)
                    writer.write(event)
                    await writer.drain()
                    await asyncio.sleep(pause)
            await writer.drain()
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", ENGINE_PORT, backlog=1024)


def started(directory: Path, host: str) -> subprocess.Popen[bytes]:
    """Starts the instance, as the account of the host's own, on the first core."""
    os.chown(directory, *_account())
    environment = {
        "PATH": os.environ["PATH"],
        "RUNTIME_DIRECTORY": str(directory),
        "RACKWRIGHT_APP_WORKERS": "1",
        "RACKWRIGHT_APP_API__HOST": host,
        "RACKWRIGHT_APP_API__PORT": str(API_PORT),
        "RACKWRIGHT_APP_METRICS__HOST": host,
        "RACKWRIGHT_APP_METRICS__PORT": str(METRICS_PORT),
        "RACKWRIGHT_APP_ENGINE__URLS": json.dumps([f"http://127.0.0.1:{ENGINE_PORT}/v1"]),
        "RACKWRIGHT_APP_AUDIT__PATH": str(directory / "audit.log"),
        "RACKWRIGHT_APP_LIMITS__ADDRESS_REQUESTS_PER_HOUR": "100000",
    }
    program = Path(sys.executable).with_name("rackwright-app")
    user, group = _account()
    core = str(min(os.sched_getaffinity(0)))
    return subprocess.Popen(
        ["taskset", "-c", core, str(program), "serve"],
        env=environment,
        cwd="/",
        user=user,
        group=group,
        extra_groups=[],
        stdout=subprocess.DEVNULL,
        stderr=(directory / "said").open("wb"),
        start_new_session=True,
    )


def _account() -> tuple[int, int]:
    import pwd  # noqa: PLC0415 - of the host alone

    found = pwd.getpwnam(USER)
    return found.pw_uid, found.pw_gid


def workers(parent: int) -> list[int]:
    """Returns the processes below one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            # The one that watches over what several processes share is no worker.
            if int(fields[1]) == parent and b"resource_tracker" not in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def memory(process: int) -> float:
    """Returns the memory of a process in MB."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def spent(process: int) -> float:
    """Returns the seconds of a core that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


class Streams:
    """The streams, and how many are open."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._context = ssl.create_default_context(cafile=CA)
        self._doors = asyncio.Semaphore(_TOGETHER)
        self.open = self.most = self.events = self.whole = 0
        self.errors: list[str] = []

    async def one(self, token: str) -> None:
        """Asks one question and reads the answer to its end."""
        body = json.dumps({"message": "What is a rack?"})
        head = f"POST /api/chat HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {token}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer = None
        try:
            async with self._doors:
                reader, writer = await asyncio.open_connection(self._host, API_PORT, ssl=self._context)
                writer.write(f"{head}{body}".encode())
                await _answered(reader)
            self.open += 1
            self.most = max(self.most, self.open)
            try:
                await self._read(reader)
            finally:
                self.open -= 1
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            self.errors.append(repr(error)[:300])
        finally:
            if writer is not None:
                writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        kind = ""
        while line := await reader.readline():
            if line.startswith(b"event: "):
                kind = line[7:].strip().decode()
                self.events += kind == "token"
                if kind == "error":
                    raise OSError((await reader.readline()).decode().strip())
        if kind != "done":
            raise OSError(f"ended after {kind or 'nothing'}")
        self.whole += 1


async def _answered(reader: asyncio.StreamReader) -> None:
    status = (await reader.readline()).decode().strip()
    if " 200 " not in status:
        raise OSError(f"{status} {(await reader.read(1000)).decode(errors='replace')[-300:]}")


def let_open_files() -> None:
    """Lets this process and the instance open as many files as the app's unit, or as a container may."""
    command = ["systemctl", "show", "--property=LimitNOFILE", "--value", "rackwright-app.service"]
    asked = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = asked if most == resource.RLIM_INFINITY else min(asked, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


async def ready(host: str, instance: subprocess.Popen[bytes]) -> None:
    """Waits until the instance serves."""
    context = ssl.create_default_context(cafile=CA)
    async with httpx.AsyncClient(verify=context, trust_env=False, timeout=5) as client:
        for _ in range(_START_SECONDS * 2):
            try:
                if (await client.get(f"https://{host}:{API_PORT}/health")).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            if instance.poll() is not None:
                break
            await asyncio.sleep(0.5)
    raise SystemExit("the instance did not start")


async def main() -> None:
    """Does the work."""
    work: Work = json.load(sys.stdin)
    let_open_files()
    settings = load_settings()
    host = settings.api.host
    directory = Path(tempfile.mkdtemp(dir="/run", prefix="streams."))
    server = await played(await recorded(settings), work["seconds"], len(work["tokens"]))
    instance = started(directory, host)
    try:
        await ready(host, instance)
        (worker,) = workers(instance.pid)
        # What it needed to start is given back by then.
        await asyncio.sleep(3)
        idle, streams = memory(worker), Streams(host)
        began, before = time.monotonic(), spent(worker)
        asking = asyncio.gather(*(streams.one(token) for token in work["tokens"]))
        busy = idle
        while not asking.done():
            await asyncio.sleep(1)
            busy = max(busy, memory(worker))
        await asking
        seconds = time.monotonic() - began
        seen = Seen(
            asked=len(work["tokens"]),
            whole=streams.whole,
            errors=streams.errors[:5],
            most_open=streams.most,
            seconds=seconds,
            events=streams.events,
            idle_mb=idle,
            busy_mb=busy,
            cpu_percent=100 * (spent(worker) - before) / seconds,
        )
    except BaseException:
        sys.stderr.write((directory / "said").read_text(errors="replace")[-3000:])
        raise
    finally:
        instance.terminate()
        instance.wait(60)
        server.close()
        shutil.rmtree(directory, ignore_errors=True)
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
