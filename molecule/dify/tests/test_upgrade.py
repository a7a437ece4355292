"""Another release: refused as a setting, brought back when bad, taken when good. The images are doubles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from dify_pages import Browser
from machines import Machines
from operating import Operator

Sql = Callable[[str, str], str]


def running(machines: Machines) -> str:
    return machines.inside("app1", "docker inspect --format '{{.Image}}' dify-api")


@pytest.fixture
def operator(tmp_path: Path, variables: Mapping[str, Any]) -> Callable[[str], Operator]:
    """An operator whose inventory names another image of the api."""
    images = dict(variables["dify_images"])
    doubles = dict(variables["my_doubles"])

    def named(release: str) -> Operator:
        told = {**images, "api": doubles[release]}
        return Operator(tmp_path / release, {"dify_images": told})

    return named


def test_a_plain_run_refuses_another_release(operator: Callable[[str], Operator], machines: Machines) -> None:
    before = running(machines)
    status, said = operator("next").play("playbooks/dify.yml", "--limit", "app1")
    assert status != 0
    assert "playbooks/upgrade_dify.yml" in said
    assert running(machines) == before


def test_images_by_the_command_line_are_refused_on_both_ways(
    operator: Callable[[str], Operator], machines: Machines
) -> None:
    before = running(machines)
    given = ["--limit", "app1,data1", "-e", '{"dify_images": {"api": {"name": "other"}}}']
    run, back = operator("next"), ["-e", "dify_return=true"]
    for way, told in (([], "the way back would take the new images"), (back, "leave it out")):
        status, said = run.play("playbooks/upgrade_dify.yml", *given, *way)
        assert status != 0
        assert "dify_images is given by -e" in said
        assert told in " ".join(said.split())
    assert running(machines) == before


def test_a_bad_release_is_taken_back_with_the_data_of_before(
    operator: Callable[[str], Operator],
    machines: Machines,
    sql: Sql,
    browser: Browser,
    variables: Mapping[str, Any],
) -> None:
    before = running(machines)
    status, said = operator("broken").play("playbooks/upgrade_dify.yml", "--limit", "app1,data1")
    assert status != 0
    assert "The new release did not come up" in said
    assert running(machines) == before
    # Its migration had changed the accounts and then failed.
    assert sql("dify", "SELECT version_num FROM alembic_version") == "1.17.0"
    assert browser.log_in("operations@example.com", str(variables["vault_dify_admin_password"])) == 200
    assert (
        machines.inside("app1", "docker ps --format '{{.Names}}' --filter health=healthy").count("dify-") == 7
    )


def test_a_good_release_is_taken(
    operator: Callable[[str], Operator],
    machines: Machines,
    sql: Sql,
    browser: Browser,
    variables: Mapping[str, Any],
) -> None:
    before = running(machines)
    status, said = operator("next").play("playbooks/upgrade_dify.yml", "--limit", "app1,data1")
    assert status == 0, said
    assert running(machines) != before
    assert sql("dify", "SELECT version_num FROM alembic_version") == "1.17.1"
    assert browser.log_in("operations@example.com", str(variables["vault_dify_admin_password"])) == 200
