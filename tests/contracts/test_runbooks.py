"""Runbooks name commands and options that there are, in both languages alike."""

import re
import shlex
from pathlib import Path

import click
import pytest

from rackwright.cli.main import cli
from rackwright.site.paths import repository_root

RUNBOOKS = repository_root() / "docs/runbooks"
ENGLISH = sorted(
    path for path in RUNBOOKS.glob("*.md") if not path.name.endswith(".zh-CN.md") and path.stem != "index"
)
BLOCK = re.compile(r"```(sh|text)\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`(rackwright [^`<]*)`")


def blocks(path: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(path.read_text(encoding="utf-8"))


def commands(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    found = [
        line for _, block in blocks(path) for line in block.splitlines() if line.startswith("rackwright ")
    ]
    return found + INLINE.findall(text)


@pytest.mark.parametrize("path", ENGLISH, ids=lambda path: path.stem)
def test_both_languages_run_the_same(path: Path) -> None:
    other = path.with_name(f"{path.stem}.zh-CN.md")
    assert blocks(path) == blocks(other)
    assert other.name in (RUNBOOKS / "index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ENGLISH, ids=lambda path: path.stem)
def test_every_command_is_one(path: Path) -> None:
    assert any(kind == "sh" for kind, _ in blocks(path)), "nothing that a test can run"
    for line in commands(path):
        words = shlex.split(line)[1:]
        command: click.Command = cli
        context = click.Context(cli)
        while words and isinstance(command, click.Group) and not words[0].startswith("-"):
            found = command.get_command(context, words[0])
            assert found is not None, line
            command, words = found, words[1:]
        options = {option for parameter in command.params for option in parameter.opts}
        unknown = [word for word in words if word.startswith("-") and word.partition("=")[0] not in options]
        assert unknown == [], line
