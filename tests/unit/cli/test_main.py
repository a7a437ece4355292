import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from rackwright.cli import main as entry
from rackwright.errors import RackwrightError
from rackwright.site.paths import repository_root


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that fails as our code does."""
    module = ModuleType("rackwright_failing_command")

    @click.command()
    def fail() -> None:
        """Fail."""
        raise RackwrightError("the disk is full", hint="empty it", exit_code=7)

    module.__dict__["fail"] = fail
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(entry.COMMANDS, "fail", "rackwright_failing_command:fail")


@pytest.mark.usefixtures("failing")
def test_an_error_is_printed_once_with_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        entry.main(["fail"])
    assert caught.value.code == 7
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: the disk is full\nhint:  empty it\n"


@pytest.mark.usefixtures("failing")
def test_debug_shows_where_it_came_from() -> None:
    with pytest.raises(RackwrightError):
        entry.main(["--debug", "fail"])


def test_a_mistyped_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        entry.main(["services", "--jsno"])
    assert caught.value.code == 2
    assert "No such option" in capsys.readouterr().err


def test_an_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        entry.main(["aply"])
    assert caught.value.code == 2
    assert "aply" in capsys.readouterr().err


def test_an_inventory_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        entry.main(["services", "-i", str(tmp_path / "nowhere")])
    assert caught.value.code == 2
    assert "nowhere" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(entry.COMMANDS))
def test_every_command_exists_and_says_what_it_does(name: str) -> None:
    command = entry.cli.get_command(click.Context(entry.cli), name)
    assert command is not None
    assert command.get_short_help_str()


def test_a_command_is_imported_only_when_it_is_run() -> None:
    code = "import sys, rackwright.cli.main as m; print(*[n for n in sys.modules if n.startswith('ansible')])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_the_inventory_from_the_environment(tmp_path: Path) -> None:
    """The installed command, in a directory of its own, without a checkout around it."""
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("all: {children: {zone_lan: {}}}\n", encoding="utf-8")
    result = subprocess.run(
        [str(Path(sys.executable).parent / "rackwright"), "validate"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "RACKWRIGHT_INVENTORY": str(inventory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "platform: (no host)" in result.stdout


def test_the_root_named_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACKWRIGHT_ROOT", str(tmp_path))
    with pytest.raises(RackwrightError, match="RACKWRIGHT_ROOT"):
        repository_root()
