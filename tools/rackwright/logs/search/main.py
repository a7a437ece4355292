"""The program: a question at standard input, where no list of processes has it; the answer in JSON."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rackwright.logs.agent.client import Client
from rackwright.logs.agent.wire import UndeliveredError
from rackwright.logs.search import in_elasticsearch, in_files
from rackwright.logs.search.question import Line, Question, latest


def found_in(settings: Mapping[str, Any], question: Question) -> Iterator[Line]:
    """Ask the store that the settings are of: a directory of files, or the URL of Elasticsearch."""
    if "directory" in settings:
        return in_files.found_in(Path(settings["directory"]), question)
    client = Client(
        [settings["url"]], settings["authority"], settings["user"], settings["password"], compress=False
    )
    return in_elasticsearch.found_in(client, settings["index"], question)


def main(arguments: list[str]) -> None:
    """Answer. Argument: the file with the store's settings."""
    settings = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    try:
        question = Question.read(json.load(sys.stdin))
        lines, more = latest(found_in(settings, question), question.limit)
    except (UndeliveredError, ValueError, KeyError, re.error) as error:
        raise SystemExit(f"rackwright-log-search: {error}") from None
    sys.stdout.write(json.dumps({"lines": lines, "more": more}, ensure_ascii=False) + "\n")
