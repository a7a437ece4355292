"""What serves files behind an edge that serves none: gixy finds nothing in its configuration."""

from __future__ import annotations

from functools import partial

import jinja2
import pytest
from traefik_site import DOMAIN, ROOT

from rackwright.audit.run import gixy
from rackwright.edge import answers


def written(listen: str) -> str:
    """The role's own template."""
    loader = jinja2.FileSystemLoader(ROOT / "roles/edge_files/templates")
    environment = jinja2.Environment(loader=loader, trim_blocks=True)  # noqa: S701 - nginx' configuration
    environment.filters |= {"comment": lambda text: f"# {text}", "edge_said": partial(getattr, answers)}
    return environment.get_template("etc/rackwright/edge-files/nginx.conf.j2").render(
        ansible_managed="managed",
        edge_files_listen=listen,
        edge_files_root="/srv/rackwright/frontend/current",
        edge_files_challenges="/var/lib/rackwright-acme/www",
        edge_files_page_sites=[f"ai.{DOMAIN}"],
        edge_files_maintenance={"enabled": True, "retry_seconds": 900},
        __edge_files_alone=listen.startswith("unix:"),
        __edge_files_errors=answers.errors(50),
        __edge_files_statuses=answers.errors(50),
        __edge_files_notice="",
    )


@pytest.mark.parametrize("listen", ["unix:/run/rackwright-edge-files/http.sock", "127.0.0.1:8182"])
def test_it_has_no_known_weakness(listen: str) -> None:
    text = written(listen)
    assert listen in text
    assert gixy(text) == []
