"""strongest_directory: where the site's own files are written."""

from pathlib import Path

import pytest

from rackwright.errors import RackwrightError
from rackwright.secrets.location import site_directory
from rackwright.site.sources import strongest_directory


def test_the_last_directory_gets_the_file_and_the_last_with_a_vault_owns_the_secrets(tmp_path: Path) -> None:
    site, overlay = tmp_path / "site", tmp_path / "overlay"
    overlay.mkdir()
    (site / "group_vars/all").mkdir(parents=True)
    (site / "group_vars/all/vault.yml").touch()
    (site / "hosts.yml").touch()

    assert strongest_directory([site, overlay]) == overlay
    assert site_directory([site, overlay]) == site
    assert strongest_directory([site, overlay / "absent"]) == site
    assert strongest_directory([site, site / "hosts.yml"]) == site
    assert strongest_directory([site / "hosts.yml"]) == site


def test_no_source_that_exists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RackwrightError, match=r"no inventory directory among the sources: .*absent"):
        strongest_directory([tmp_path / "absent"])
    with pytest.raises(RackwrightError, match="none"):
        strongest_directory([])
