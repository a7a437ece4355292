from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from rackwright.lab.images import mmdebstrap_command
from rackwright.lab.llama_recipe import image_config, llama_recipe
from rackwright.lab.mirror import Mirror
from rackwright.lab.recipe import ImageFile, Recipe, gateway_recipe, host_recipe

MIRROR = Mirror("http://m.example/debian", "http://m.example/security")


def content_of(recipe: Recipe, path: str) -> str:
    return next(file.content for file in recipe.files if file.path == path)


def test_tag_follows_everything_in_the_recipe() -> None:
    recipe = host_recipe("trixie", "amd64", MIRROR)
    assert recipe.tag == host_recipe("trixie", "amd64", MIRROR).tag
    changed = [
        replace(recipe, release="bookworm"),
        replace(recipe, packages=(*recipe.packages, "less")),
        replace(recipe, files=(*recipe.files, ImageFile("/x", "", 0o644))),
        replace(recipe, commands=(*recipe.commands, "true")),
        host_recipe("trixie", "amd64", replace(MIRROR, stale=True)),
        host_recipe("trixie", "amd64", replace(MIRROR, main="http://n.example/debian")),
    ]
    assert len({recipe.tag, *(other.tag for other in changed)}) == len(changed) + 1


def test_a_bare_server_has_no_firewall_and_the_gateway_has() -> None:
    assert "nftables" not in host_recipe("trixie", "amd64", MIRROR).packages
    assert "nftables" in gateway_recipe("trixie", "amd64", MIRROR).packages


def test_hosts_fetch_from_where_the_cache_can_read_along() -> None:
    encrypted = Mirror("https://m.example/debian", "https://m.example/security")
    recipe = host_recipe("trixie", "amd64", encrypted)
    lines = content_of(recipe, "/etc/apt/sources.list").splitlines()
    assert lines == [
        "deb http://HTTPS///m.example/debian trixie main",
        "deb http://HTTPS///m.example/debian trixie-updates main",
        "deb http://HTTPS///m.example/security trixie-security main",
    ]
    # The build itself runs without the cache.
    assert recipe.sources[0] == "deb https://m.example/debian trixie main"


@pytest.mark.parametrize("stale", [True, False])
def test_stale_releases_are_taken_only_where_this_machine_takes_them(stale: bool) -> None:
    settings = content_of(
        host_recipe("trixie", "amd64", replace(MIRROR, stale=stale)), "/etc/apt/apt.conf.d/90rackwright-lab"
    )
    assert ("Check-Valid-Until" in settings) is stale


def test_models_image_runs_as_nobody_special() -> None:
    recipe = llama_recipe("forky", "amd64", MIRROR)
    user = str(image_config()["User"])
    assert user.partition(":")[0] not in {"", "0", "root"}
    assert f":{user}:" in content_of(recipe, "/etc/passwd")
    # Only the testing release's date is not looked at; signatures always are.
    assert recipe.sources == ("deb [check-valid-until=no] http://m.example/debian forky main",)


def test_files_go_in_with_their_modes_as_root(tmp_path: Path, cache: Path) -> None:
    recipe = host_recipe("trixie", "amd64", MIRROR)
    command = mmdebstrap_command(recipe, tmp_path)
    with tarfile.open(tmp_path / "files.tar") as packed:
        found = {"/" + member.name: (member.mode, member.uid, member.gid) for member in packed}
    assert found == {file.path: (file.mode, 0, 0) for file in recipe.files}
    debs = cache / "debs" / "amd64-trixie"
    assert f"--setup-hook=sync-in {debs} /var/cache/apt/archives" in command
    assert f"--customize-hook=sync-out /var/cache/apt/archives {debs}" in command
