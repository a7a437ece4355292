"""The program itself: settings, the store that they name, and rsyslog at standard input."""

from __future__ import annotations

import json
import sys
import syslog
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rackwright.logs.agent.client import Client
from rackwright.logs.agent.counts import Counts, publish
from rackwright.logs.agent.record import Entries, Record, Sources, record_of
from rackwright.logs.agent.relp import Relp
from rackwright.logs.agent.stores import Elasticsearch, LogServer, Logstash, Loki, Store
from rackwright.logs.agent.wire import UndeliveredError, serve

_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
_REFUSED_BYTES = 10 * 1024 * 1024


class Sender:
    """Takes batches from rsyslog and brings them to the store."""

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        self._sources = Sources(
            **{name: settings[name] for name in ("host", "files", "journals", "containers")}
        )
        self._refused = Path(settings["refused"])
        self._entries = Entries()
        self.counts = Counts()
        self._store = self._made(settings, secrets)

    def _made(self, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> Store:
        host, urls, authority = settings["host"], settings["urls"], settings["authority"]
        if settings["kind"] == "files":
            return LogServer(Relp(urls, authority, settings["certificate"]), self.counts)
        client = Client(urls, authority, secrets.get("user", ""), secrets.get("password", ""))
        if settings["kind"] == "elasticsearch":
            return Elasticsearch(client, host, settings["index"], self.counts, self._refuse)
        if settings["kind"] == "logstash":
            return Logstash(client, host, self.counts)
        return Loki(client, host, self.counts, self._refuse)

    def deliver(self, batch: list[bytes]) -> None:
        """Store a batch, however long that takes.

        A batch that rsyslog is told of as failed goes to the end of its queue, behind what came later. So it
        is never told: it waits for this answer, and its queue on the disk grows meanwhile. When this program
        ends before, the batch is still in the queue, at its place.
        """
        records = [self._entries.joined(record_of(raw, self._sources)) for raw in batch]
        pause = _PAUSE
        while not self._stored(records):
            time.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 2)
        self.counts.masked += sum(record.masked for record in records)

    def _stored(self, records: list[Record]) -> bool:
        """Try once; the first failure and the first success after one are told to the journal."""
        try:
            self._store.store(records)
        except UndeliveredError as error:
            self.counts.failures += 1
            if self.counts.store_up:
                syslog.syslog(syslog.LOG_WARNING, f"the log store does not take lines, they wait: {error}")
            self.counts.store_up = False
            return False
        if not self.counts.store_up:
            syslog.syslog(syslog.LOG_NOTICE, "the log store takes lines again")
        self.counts.store_up = True
        self.counts.last_success = time.time()
        return True

    def _refuse(self, record: Record, reason: str) -> None:
        """Keep what the store will never take beside the queue, as much as is allowed there."""
        self.counts.dropped += 1
        entry = {"reason": reason, "id": record.id, "service": record.service, "line": record.text}
        if not self._refused.exists() or self._refused.stat().st_size < _REFUSED_BYTES:
            with self._refused.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def main(arguments: list[str]) -> None:
    """Run until rsyslog closes standard input. Argument: the directory of settings.json and secrets.json."""
    syslog.openlog("rackwright-log-shipper", syslog.LOG_PID, syslog.LOG_DAEMON)
    directory = Path(arguments[0])
    settings = json.loads((directory / "settings.json").read_text(encoding="utf-8"))
    secrets = json.loads((directory / "secrets.json").read_text(encoding="utf-8"))
    sender = Sender(settings, secrets)
    publish(sender.counts, Path(settings["queue"]), settings["buffer_bytes"], Path(settings["metrics"]))
    serve(sys.stdin.buffer, sys.stdout.buffer, sender.deliver)
