import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rackwright.cli.secrets import secrets
from rackwright.errors import RackwrightError
from rackwright.secrets import store


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(secrets, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0
    return result


def test_init_prints_names_and_never_values(site: Path) -> None:
    first = run("init", "-i", site)
    second = run("init", "-i", site)

    assert "drew first, second" in first.output
    assert "nothing changed" in second.output
    for name in ("first", "second"):
        assert store.value_of(name, [site]) not in first.output + second.output


def test_rotate_says_which_plays_to_run(site: Path) -> None:
    run("init", "-i", site)

    lines = run("rotate", "second", "-i", site).output.splitlines()

    assert lines[1:] == [f"  ansible-playbook playbooks/{play}.yml -i {site}" for play in ("data", "app")]


def test_list_as_json_says_what_is_set(site: Path) -> None:
    before = json.loads(run("list", "--json", "-i", site).output)
    run("init", "-i", site)
    after = json.loads(run("list", "--json", "-i", site).output)

    assert [row["set"] for row in before] == [False, False]
    assert [(row["name"], row["set"]) for row in after] == [("first", True), ("second", True)]


def test_show_prints_the_bare_value(site: Path) -> None:
    run("init", "-i", site)

    assert run("show", "first", "-i", site).output == store.value_of("first", [site]) + "\n"


def test_set_keeps_what_somebody_else_drew_and_shows_it_nowhere(site: Path) -> None:
    run("init", "-i", site)
    done = CliRunner().invoke(secrets, ["set", "second", "-i", str(site)], input="drawn/by the provider\n")

    assert done.exit_code == 0, done.output
    assert "provider" not in done.output
    assert f"ansible-playbook playbooks/data.yml -i {site}" in done.output
    assert store.value_of("second", [site]) == "drawn/by the provider"


@pytest.mark.parametrize(
    "value", ["", "short", "x" * 513, "a long one with a \t tab", "密码密码密码密码密码密码"]
)
def test_set_refuses_what_is_no_secret(site: Path, value: str) -> None:
    run("init", "-i", site)
    before = store.value_of("second", [site])

    with pytest.raises(RackwrightError, match="is no secret"):
        store.put("second", value, [site])
    assert store.value_of("second", [site]) == before
