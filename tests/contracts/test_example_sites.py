"""The ready examples are what `rackwright init` makes of the answers beside them, and they can be sized."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rackwright.cli.main import main
from rackwright.init.answers import parse_answers, read_answers
from rackwright.init.create import prepare, read_hardware
from rackwright.site.paths import repository_root

INVENTORIES = repository_root() / "inventories"
ANSWERS = sorted((INVENTORIES / "answers").glob("*.yml"))
REMAKE = (
    "remove inventories/{0} and run: rackwright init --answers inventories/answers/{0}.yml --yes --no-secrets"
)
# What a site makes itself, and the repository does not hold.
MADE_LATER = {"vault.yml", "pki"}


@pytest.fixture(params=ANSWERS, ids=[path.stem for path in ANSWERS])
def answers_file(request: pytest.FixtureRequest) -> Path:
    path = request.param
    assert isinstance(path, Path)
    return path


def test_there_is_one_of_each_size() -> None:
    assert [path.stem for path in ANSWERS] == ["large", "medium", "small"]


def test_an_example_is_what_init_makes(answers_file: Path) -> None:
    answers = parse_answers(read_answers(answers_file))
    target = INVENTORIES / answers.name
    files = prepare(answers, target, read_hardware(answers)).files
    there = {path.relative_to(target): path.read_bytes() for path in _files(target)}
    assert sorted(there) == sorted(files), REMAKE.format(answers.name)
    for path, content in files.items():
        assert there[path] == content, f"{path}: {REMAKE.format(answers.name)}"


def test_an_example_can_be_checked_without_a_vault(
    answers_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["validate", "--draft", "-i", str(INVENTORIES / answers_file.stem)])
    assert caught.value.code == 0, capsys.readouterr().out


def test_an_example_can_be_sized(answers_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["size", "--explain", "-i", str(INVENTORIES / answers_file.stem)])
    assert caught.value.code == 0, capsys.readouterr().err


def _files(site: Path) -> Iterator[Path]:
    for path in sorted(site.rglob("*")):
        if path.is_file() and not MADE_LATER & set(path.relative_to(site).parts):
            yield path
