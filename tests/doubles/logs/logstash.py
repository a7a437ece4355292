"""A double of Logstash: settings, the language of its pipelines, queues on the disk, its http input, its API.

No Logstash is in it. It is as strict as Logstash about settings, plugins and options, and does of them what
the project's pipelines ask for; what it cannot do ends it, and is never passed over.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import yaml
from common import Handler, Json, RefusedError, check_environment, documented, fail, say, serve
from pipeline_language import LanguageError, Plugin, Text, put, read
from pipeline_run import Pipeline, now

HOME = Path(os.environ.get("DOUBLE_HOME", "/usr/share/logstash"))
_UNITS = {"": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}
_BLOCKED_SECONDS = float(os.environ.get("DOUBLE_BLOCKED_SECONDS", "10"))
_BYTES = ("queue.page_capacity", "queue.max_bytes", "dead_letter_queue.max_bytes")


class Api(Handler):
    """What it says of itself, on its own port."""

    pipelines: ClassVar[dict[str, Pipeline]] = {}

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep still: who asks does so every few seconds."""

    def find(self, method: str, path: str) -> Any:  # noqa: ANN401 - a function of handler and body
        """Return who answers."""
        head = {"host": "double", "version": "8.19.0-double", "status": "green"}
        told = {name: pipeline.told() for name, pipeline in self.pipelines.items()}
        memory = {"mem": {"heap_used_percent": 40, "heap_max_in_bytes": 0, "heap_used_in_bytes": 0}}
        answers = {"/": head, "/_node/stats": {**head, "jvm": memory, "pipelines": told}}
        return (lambda *_: answers[path]) if method == "GET" and path in answers else None


class HttpInput(Handler):
    """The input `http`: a batch is answered once it is in the queue."""

    options: ClassVar[Json] = {}
    pipeline: ClassVar[Any] = None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep still: its own log is read by what it serves."""

    def allowed(self, path: str) -> None:  # noqa: ARG002 - any path is as good as another
        """Ask for the account."""
        given = self.headers.get("Authorization") or ""
        wanted = f"{self.options['user']}:{self.options['password']}".encode()
        if given != f"Basic {base64.b64encode(wanted).decode()}":
            raise RefusedError(401, {})

    def unread(self, path: str) -> bool:  # noqa: ARG002 - as above
        """Bodies may be packed, and hold a list."""
        return True

    def find(self, method: str, path: str) -> Any:  # noqa: ANN401, ARG002 - as above
        """Every request is an event, or several."""
        return HttpInput._taken

    def _taken(self, _: Json) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        kind = (self.headers.get("Content-Type") or "").partition(";")[0]
        if kind != "application/json":
            raise RefusedError(500, {"double": "the project sends JSON alone"})
        given = json.loads(body)
        events = [self._event(entry) for entry in (given if isinstance(given, list) else [given])]
        if not self.pipeline.queue.put(events, _BLOCKED_SECONDS):
            raise RefusedError(429, {})
        self.send(200, b"ok", "text/plain")

    def _event(self, entry: Json) -> Json:
        event = {"@timestamp": now(), **entry, "@version": "1"}
        headers = {name.lower().replace("-", "_"): value for name, value in self.headers.items()}
        put(event, self.options.get("request_headers_target_field", "headers"), headers)
        put(event, self.options.get("remote_host_target_field", "host"), self.client_address[0])
        return event


def checked(text: Text, known: Json, name: str) -> Text:
    """Return a pipeline's text; end at a plugin or an option that is not documented."""
    for section, plugins in known["plugins"].items():
        for plugin in text.plugins(section):
            if plugin.name not in plugins:
                fail(f"{name}: Couldn't find any {section} plugin named '{plugin.name}'")
            _check_options(plugin, section, known, name)
    if not text.plugins("input") or not text.plugins("output"):
        fail(f"{name}: it has no input, or no output")
    return text


def _check_options(plugin: Plugin, section: str, known: Json, name: str) -> None:
    allowed = {*known["plugins"][section][plugin.name], *known["common"][section]}
    if unknown := sorted(set(plugin.options) - allowed):
        fail(f"{name}: Unknown setting '{unknown[0]}' for {plugin.name}")
    for option in known["required"].get(section, {}).get(plugin.name, []):
        if option not in plugin.options:
            fail(f"{name}: Missing a required setting for the {plugin.name} {section} plugin: {option}")
    _check_values(plugin, known, name)


def _check_values(plugin: Plugin, known: Json, name: str) -> None:
    for option, choices in known["choices"].items():
        given = plugin.options.get(option)
        for value in given.values() if isinstance(given, dict) else ([] if given is None else [given]):
            if value not in choices:
                fail(f"{name}: Expected one of {choices}, got {value!r} ({plugin.name}.{option})")
    if plugin.name == "http" and plugin.options.get("ssl_enabled") == "true":
        for option in ("ssl_certificate", "ssl_key"):
            if not Path(plugin.options.get(option, "/nonexistent")).is_file():
                fail(f"{name}: File does not exist or cannot be opened {plugin.options.get(option)}")
    if plugin.options.get("clean_consumed") == "true" and plugin.options.get("commit_offsets") != "true":
        fail(f"{name}: clean_consumed requires commit_offsets to be enabled")


def settled(known: Json, own: Json, common: Json) -> Json:
    """Return the settings of one pipeline, sizes in bytes."""
    allowed = {*known["pipeline_settings"], *known["pipeline_own"]}
    if unknown := sorted(set(own) - allowed):
        fail(f"Only settings related to pipelines may be set in pipelines.yml: {unknown[0]}")
    found = {**common, **own}
    for name in _BYTES:
        match = re.fullmatch(r"(\d+)([kmg]b)?", str(found.get(name, "1024mb")))
        if match is None:
            fail(f"{name}: {found[name]!r} is no size")
        found[name] = int(match[1]) * _UNITS[match[2] or ""]
    if found["queue.page_capacity"] > found["queue.max_bytes"]:
        fail(f"{own['pipeline.id']}: queue.page_capacity must be less than or equal to queue.max_bytes")
    if found.get("queue.type") != "persisted" or found.get("pipeline.workers") != 1:
        fail("the double has persistent queues and one worker a pipeline alone")
    if found.get("pipeline.ecs_compatibility") != "disabled":
        fail("the double adds nothing by ECS: pipeline.ecs_compatibility must be disabled")
    return found


def loaded(known: Json, home: Path) -> tuple[Json, dict[str, tuple[Json, Text]]]:
    """Return logstash.yml, and each pipeline's settings and text; end at whatever Logstash would not take."""
    common = yaml.safe_load((home / "config/logstash.yml").read_text(encoding="utf-8"))
    if unknown := sorted(set(common) - {*known["settings"], *known["pipeline_settings"]}):
        fail(f"Setting \"{unknown[0]}\" doesn't exist. Please check if you haven't made a typo.")
    found: dict[str, tuple[Json, Text]] = {}
    for own in yaml.safe_load((home / "config/pipelines.yml").read_text(encoding="utf-8")):
        name = own["pipeline.id"]
        if name in found:
            fail(f"Pipelines YAML file contains duplicate pipeline ids: {name}")
        try:
            text = read(Path(own["path.config"]).read_text(encoding="utf-8"))
        except (OSError, LanguageError) as error:
            fail(f"{name}: {error}")
        found[name] = (settled(known, own, common), checked(text, known, name))
    return common, found


def joined(pipelines: dict[str, Pipeline]) -> dict[str, Pipeline]:
    """Return the pipelines by name and by the address of their input; end at an address that none has."""
    places = dict(pipelines)
    for pipeline in pipelines.values():
        for plugin in pipeline.text.plugins("input"):
            if plugin.name == "pipeline":
                places[plugin.options["address"]] = pipeline
    for pipeline in pipelines.values():
        for plugin in pipeline.text.plugins("output"):
            for address in plugin.options.get("send_to", []):
                if address not in places:
                    fail(f"{pipeline.name}: nothing listens at the address {address}")
    return places


def main(environ: dict[str, str], arguments: list[str]) -> None:
    """Run as the image's own program does: with the files that the role gives it."""
    known = documented("logstash")
    check_environment(known["environment"], ("LS_", "LOGSTASH_"), environ)
    if written := sorted(set(environ) & set(known["from_environment"])):
        fail(f"env2yaml: open {HOME}/config/logstash.yml: read-only file system ({written[0]})")
    if arguments:
        fail(f"the project starts it without arguments: {arguments}")
    heap = re.findall(r"-Xm[sx](\d+)m", environ.get("LS_JAVA_OPTS", ""))
    if len(heap) != 2 or heap[0] != heap[1]:
        fail("LS_JAVA_OPTS: initial heap size not equal to maximum heap size")
    common, texts = loaded(known, HOME)
    data = Path(common.get("path.data", HOME / "data"))
    pipelines = {name: Pipeline(name, text, settings, data) for name, (settings, text) in texts.items()}
    stopped = threading.Event()
    places = joined(pipelines)
    threads = [thread for pipeline in pipelines.values() for thread in pipeline.start(places, stopped)]
    Api.pipelines = pipelines
    api = ThreadingHTTPServer((common["api.http.host"], int(common["api.http.port"])), Api)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    say(f"a double, with the pipelines {', '.join(pipelines)}")
    ((pipeline, lines),) = [
        (pipeline, plugin)
        for pipeline in pipelines.values()
        for plugin in pipeline.text.plugins("input")
        if plugin.name == "http"
    ]
    HttpInput.options, HttpInput.pipeline = lines.options, pipeline
    serve(
        HttpInput,
        int(lines.options["port"]),
        tls=(lines.options["ssl_certificate"], lines.options["ssl_key"]),
    )
    stopped.set()
    for thread in threads:
        thread.join(5)


if __name__ == "__main__":
    main({**os.environ}, sys.argv[1:])
