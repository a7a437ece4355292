"""Runs inside of a machine that has just come up: whether its services work under their profiles.

What they are asked is the module `checks` beside it: each function `check_…` that raises nothing is well.
Writes one line of JSON to a serial port and powers the machine off. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

PORT = Path("/dev/ttyS1")
GIVEN = Path(__file__).with_name("given.json")
LABEL = Path("/proc/thread-self/attr/current")
TLS = Path("/etc/rackwright/tls")
FOREIGN = ("/etc/shadow", "/etc/ssh/ssh_host_ed25519_key")
SHELL = "/usr/bin/bash"
# The processor is emulated.
SECONDS = 300
EVENT = re.compile(r'apparmor="(?:DENIED|ALLOWED)".* profile="(rackwright\.[^"]*)"')


def run(*command: str, timeout: float = SECONDS) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever that is."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", "timed out")


def shown(unit: str) -> dict[str, str]:
    """What systemd knows of a unit, and what its main process runs under."""
    properties = "--property=ActiveState,SubState,MainPID,Result,Type,LoadState"
    told = dict(line.split("=", 1) for line in run("systemctl", "show", properties, unit).stdout.splitlines())
    label = ""
    if told.get("MainPID", "0") != "0":
        try:
            label = Path(f"/proc/{told['MainPID']}/attr/current").read_text("utf-8").strip().rstrip("\0")
        except OSError:
            label = "gone"
    return {**told, "label": label}


def settled(units: list[str]) -> dict[str, dict[str, str]]:
    """Wait until no unit is on its way; what each is then."""
    deadline = time.monotonic() + SECONDS
    while True:
        found = {unit: shown(unit) for unit in units}
        waiting = [told for told in found.values() if told.get("ActiveState") in ("activating", "reloading")]
        if not waiting or time.monotonic() > deadline:
            return found
        time.sleep(2)


def denials() -> list[str]:
    """What the kernel has told of our profiles."""
    lines = run("journalctl", "--dmesg", "--output=cat", "--no-pager").stdout.splitlines()
    return [line for line in lines if EVENT.search(line)]


def may(profile: str, path: str, *, start: bool = False) -> str:
    """What a process under a profile gets for reading a file, or for starting a program: ok, or the error."""
    reader, writer = os.pipe()
    if not os.fork():
        told = "ok"
        try:
            if profile != "unconfined":
                Path("/proc/thread-self/attr/current").write_text(
                    f"changeprofile {profile}", encoding="ascii"
                )
        except OSError as error:
            told = f"not under it: {error.strerror}"
        else:
            try:
                if start:
                    os.set_inheritable(writer, False)
                    os.execv(path, [path, "-c", ":"])  # noqa: S606 - that is what is tried
                os.close(os.open(path, os.O_RDONLY))
            except OSError as error:
                told = error.strerror or "refused"
        os.write(writer, told.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        answer = file.read()
    os.wait()
    return answer or "ok"


def ask(
    url: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    *,
    method: str | None = None,
    name: str = "",
) -> tuple[int, str]:
    """Ask as the site's programs do, with this host's own certificate; status and text.

    Args:
        url: Whom, by address.
        body: Bytes, or what is sent as JSON.
        headers: Beside those that it has anyhow.
        method: GET, or POST with a body, without it.
        name: By which name the server is called, where it has several.
    """
    context = ssl.create_default_context(cafile=str(TLS / "ca.pem"))
    own = TLS / "node_exporter"
    context.load_cert_chain(own / "cert.pem", own / "key.pem")
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    sent = {} if data is body else {"Content-Type": "application/json"}
    request = urllib.request.Request(  # noqa: S310 - this machine's own addresses
        url, data, {**sent, **(headers or {})}, method=method
    )
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
    if name:
        handlers = [Named(context, name)]
        request.add_header("Host", name)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *handlers)
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


class Named(urllib.request.HTTPSHandler):
    """Calls a server by address, and by a name of its certificate."""

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        super().__init__(context=context)
        self.context, self.name = context, name

    def https_open(self, request: urllib.request.Request) -> Any:  # noqa: ANN401 - as its base
        """Open the connection."""
        context, name = self.context, self.name

        class Connection(HTTPSConnection):
            def connect(self) -> None:
                plain = socket.create_connection((self.host, self.port), self.timeout)
                self.sock = context.wrap_socket(plain, server_hostname=name)

        return self.do_open(Connection, request)


def proof(given: dict[str, Any]) -> dict[str, Any]:
    """What this machine has to say."""
    import checks  # noqa: PLC0415 - it imports this module

    asked = {name: check for name, check in vars(checks).items() if name.startswith("check_")}
    confined = json.loads(Path("/etc/rackwright/metrics.json").read_text("utf-8"))["confined"]
    units = [unit for entry in confined for unit in entry["units"]]
    told: dict[str, Any] = {"confined": confined, "up": settled(units)}
    told["first"] = {name: asking(check, given) for name, check in asked.items()}
    for unit in units:
        run("systemctl", "reload-or-restart", unit)
    told["reloaded"] = settled(units)
    told["again"] = {name: asking(check, given) for name, check in asked.items()}
    told["denials"] = denials()
    told["control"] = {path: may("unconfined", path) for path in FOREIGN}
    told["foreign"] = {
        entry["profile"]: {path: may(entry["profile"], path) for path in FOREIGN} for entry in confined
    }
    told["shell"] = {entry["profile"]: may(entry["profile"], SHELL, start=True) for entry in confined}
    told["kernel"] = os.uname().release
    told["failed"] = run("systemctl", "--failed", "--plain", "--no-legend").stdout.splitlines()
    return told


def asking(check: Callable[[dict[str, Any]], None], given: dict[str, Any]) -> str:
    """What a check says: ok, or how it failed the last time."""
    last = ""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            check(given)
        except Exception:  # noqa: BLE001 - any of it is an answer
            last = traceback.format_exc()[-800:]
            time.sleep(3)
        else:
            return "ok"
    return last


def main() -> None:
    """Say it, and go."""
    try:
        told = proof(json.loads(GIVEN.read_text("utf-8")))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other side must hear of it
        told = {"error": repr(error)}
    with PORT.open("w", encoding="utf-8") as port:
        port.write(json.dumps(told) + "\n")
    os.sync()
    run("systemctl", "poweroff", "--force", "--force")


if __name__ == "__main__":
    main()
