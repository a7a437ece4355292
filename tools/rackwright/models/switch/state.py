"""What a switched site serves: a part of its group_vars/all/serving.yml that the command writes.

What stands outside that part, comments too, stays as it is. The file is either the old or the new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rackwright.models.store.files import StoreError
from rackwright.models.switch import literal
from rackwright.secrets.atomic import write_atomically

FILE = Path("group_vars/all/serving.yml")
PREVIOUS = "serving_previous"
_BEGIN = "# Written by `rackwright models switch`, from here"
_END = "# to here; what stands outside is yours."
_MODE = 0o644


@dataclass(frozen=True)
class Previous:
    """What was served before.

    Attributes:
        engine: The engine that was switched.
        model: Its entry in the engine's variable.
        build: {model, quantisation} where hosts have it from the store; None where a role brings the file.
        switched: When it was replaced, ISO 8601.
    """

    engine: str
    model: Mapping[str, Any]
    build: Mapping[str, str] | None
    switched: str


class ServingFile:
    """The file of one site."""

    def __init__(self, site: Path) -> None:
        self.path = site / FILE

    def read(self) -> dict[str, Any]:
        """Return what our part of the file sets; nothing where there is none.

        Raises:
            StoreError: The part is cut short.
        """
        _, ours, _ = self._parts()
        return dict(literal.load(ours) or {})

    def previous(self, engine: str) -> Previous | None:
        """Return what an engine served before; None where nothing was switched."""
        found = (self.read().get(PREVIOUS) or {}).get(engine)
        return Previous(engine, found["model"], found["build"], found["switched"]) if found else None

    def with_previous(self, previous: Previous) -> dict[str, Any]:
        """Return what our part says with another way back for one engine."""
        ours = self.read()
        told = {"model": dict(previous.model), "build": previous.build, "switched": previous.switched}
        return {**ours, PREVIOUS: {**(ours.get(PREVIOUS) or {}), previous.engine: told}}

    def content(self) -> bytes | None:
        """Return the whole file; None where there is none."""
        return self.path.read_bytes() if self.path.is_file() else None

    def write(self, values: Mapping[str, Any]) -> None:
        """Set our part.

        Raises:
            OSError: The directory cannot be written; the old file stays.
        """
        before, _, after = self._parts()
        text = literal.dump(dict(values))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = f"{before or '---' + chr(10)}{_BEGIN}\n{text}{_END}\n{after}"
        write_atomically(self.path, whole.encode(), _MODE)

    def restore(self, content: bytes | None) -> None:
        """Put back what `content` returned."""
        if content is None:
            self.path.unlink(missing_ok=True)
        else:
            write_atomically(self.path, content, _MODE)

    def _parts(self) -> tuple[str, str, str]:
        text = self.path.read_text(encoding="utf-8") if self.path.is_file() else ""
        before, begin, rest = text.partition(f"{_BEGIN}\n")
        ours, end, after = rest.partition(f"{_END}\n")
        if begin and not end:
            raise StoreError(
                f"{self.path}: the line {_END!r} is missing",
                hint="write it after the last line that the command wrote, or remove that part",
            )
        return before, ours, after
