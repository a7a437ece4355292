"""The program behind the log server's rsyslog: writes what it hands over, and looks after the files."""

from __future__ import annotations

import json
import os
import sys
import syslog
import threading
import time
from pathlib import Path
from typing import Any

from rackwright.logs.agent.counts import waiting
from rackwright.logs.agent.wire import UndeliveredError, serve
from rackwright.logs.files.keeper import Keeper
from rackwright.logs.files.writer import Writer

_LOOK_SECONDS, _TELL_SECONDS = 60, 15
_PAUSE_SECONDS = 2.0


class Server:
    """Takes batches from rsyslog; one that the disk does not take is tried until it does."""

    def __init__(self, settings: dict[str, Any]) -> None:
        root = Path(settings["directory"])
        self.keeper = Keeper(root, settings["days"], settings["limit_bytes"])
        hosts = {address: (zone, host) for address, (zone, host) in settings["hosts"].items()}
        self.writer = Writer(root, hosts, self.keeper)
        self.writable = True
        self._hosts = {host for _, host in hosts.values()}
        self._queue, self._queue_limit = Path(settings["queue"]), settings["queue_bytes"]
        self._metrics = Path(settings["metrics"])
        self._begun = time.time()

    def deliver(self, batch: list[bytes]) -> None:
        """Write a batch, however long that takes."""
        pending = self.writer.sorted(batch)
        while True:
            try:
                self.writer.write(pending)
            except (UndeliveredError, OSError) as error:
                if self.writable:
                    syslog.syslog(syslog.LOG_ERR, f"lines cannot be written, shippers wait: {error}")
                self.writable = False
                time.sleep(_PAUSE_SECONDS)
            else:
                break
        if not self.writable:
            syslog.syslog(syslog.LOG_NOTICE, "lines are written again")
        self.writable = True

    def rendered(self) -> str:
        """Return its metrics in Prometheus's text format."""
        waits, waiting_bytes = waiting(self._queue)
        values = (
            ("lines_total", "counter", "Lines that were written.", self.writer.written),
            ("refused_total", "counter", "Messages that were no lines of a shipper.", self.writer.refused),
            ("removed_early_total", "counter", "Files removed for want of room.", self.keeper.removed_early),
            ("writable", "gauge", "Whether the disk took the last batch.", int(self.writable)),
            ("used_bytes", "gauge", "What the lines take on the disk.", self.keeper.used),
            ("limit_bytes", "gauge", "What they may take.", self.keeper.limit),
            ("oldest_timestamp_seconds", "gauge", "Where the oldest day begins.", self.keeper.oldest()),
            ("waiting", "gauge", "Lines that came and are not written yet.", waits),
            ("waiting_bytes", "gauge", "What those take on the disk.", waiting_bytes),
            ("waiting_limit_bytes", "gauge", "What those may take.", self._queue_limit),
        )
        lines = []
        for name, kind, text, value in values:
            full = f"rackwright_log_server_{name}"
            lines += [f"# HELP {full} {text}", f"# TYPE {full} {kind}", f"{full} {value}"]
        heard = "rackwright_log_server_heard_timestamp_seconds"
        lines += [f"# HELP {heard} When the last line of a host came.", f"# TYPE {heard} gauge"]
        # Of whom nothing has come yet: since when it could have.
        lines += [
            f'{heard}{{source="{host}"}} {self.writer.heard.get(host, self._begun)}'
            for host in sorted(self._hosts)
        ]
        return "\n".join(lines) + "\n"

    def attend(self) -> None:
        """Look after the files and tell how it is, for ever; when that fails, rsyslog begins it all anew."""
        looked = 0.0
        while True:
            try:
                if time.monotonic() - looked > _LOOK_SECONDS:
                    self.keeper.look()
                    looked = time.monotonic()
                fresh = self._metrics.with_suffix(".new")
                fresh.write_text(self.rendered(), encoding="utf-8")
                fresh.chmod(0o644)
                fresh.replace(self._metrics)
            except OSError as error:
                # A full disk, for one: the next look may have room for what it packs.
                syslog.syslog(syslog.LOG_WARNING, f"files are not looked after: {error}")
            except BaseException as error:  # noqa: BLE001 - nobody else hears of it
                syslog.syslog(syslog.LOG_ERR, f"{type(error).__name__}: {error}")
                os._exit(1)
            time.sleep(_TELL_SECONDS)


def main(arguments: list[str]) -> None:
    """Run until rsyslog closes standard input. Argument: the directory of settings.json."""
    syslog.openlog("rackwright-log-server", syslog.LOG_PID, syslog.LOG_DAEMON)
    os.umask(0o027)
    server = Server(json.loads((Path(arguments[0]) / "settings.json").read_text(encoding="utf-8")))
    threading.Thread(target=server.attend, daemon=True).start()
    serve(sys.stdin.buffer, sys.stdout.buffer, server.deliver)
