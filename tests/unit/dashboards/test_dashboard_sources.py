"""What Grafana may ask, from what a site has."""

from __future__ import annotations

import pytest

from rackwright.dashboards.sources import sources
from rackwright.errors import RackwrightError

FIRST = {"host": "ops1", "address": "10.0.40.11", "port": 9090}
PLACE = [FIRST, {"host": "ops2", "address": "10.0.40.12", "port": 9090}]
ALERTS = [FIRST | {"port": 9093}]
ENDPOINTS = {"prometheus": {"web": PLACE}, "alertmanager": {"api": ALERTS}, "app": {"api": []}}


def test_the_first_host_of_each_is_asked_by_its_certificates_name() -> None:
    prometheus, alertmanager = sources(ENDPOINTS, "ai.internal")
    assert prometheus["uid"] == "rackwright-prometheus"
    assert prometheus["url"] == "https://10.0.40.11:9090"
    assert prometheus["server_name"] == "prometheus.ai.internal"
    assert prometheus["certificate"]
    assert prometheus["settings"]["timeInterval"] == "15s"
    assert alertmanager["url"] == "https://10.0.40.11:9093"


def test_the_log_store_is_asked_by_who_may_read_it() -> None:
    endpoints = {**ENDPOINTS, "elasticsearch": {"api": [{"address": "10.0.40.11", "port": 9200}]}}
    found = sources(endpoints, "ai.internal", passwords={"elasticsearch": "secret"})[-1]
    # The uid is the one by which dashboards call it.
    assert (found["uid"], found["type"]) == ("rackwright-elasticsearch", "elasticsearch")
    assert (found["user"], found["password"], found["certificate"]) == ("reader", "secret", False)
    assert found["settings"]["index"] == "[ai-platform-]YYYY.MM.DD"
    assert "timeInterval" not in found["settings"]
    assert found["url"] == "https://10.0.40.11:9200"
    beside = {"elasticsearch": "https://elasticsearch.ai.internal:9200"}
    found = sources(endpoints, "ai.internal", passwords={"elasticsearch": "secret"}, beside=beside)[-1]
    assert (found["url"], found["server_name"]) == (beside["elasticsearch"], "elasticsearch.ai.internal")


def test_an_ipv6_address_stands_in_brackets() -> None:
    endpoints = {"prometheus": {"web": [{"address": "fd00::1", "port": 9090}]}}
    assert sources(endpoints, "x")[0]["url"] == "https://[fd00::1]:9090"


def test_the_sites_own_come_after() -> None:
    mine = {"name": "Mine", "uid": "mine", "type": "prometheus", "url": "https://x"}
    assert sources(ENDPOINTS, "x", [mine])[-1] == mine


def test_without_prometheus_there_is_nothing_to_show() -> None:
    with pytest.raises(RackwrightError, match="no host runs prometheus") as caught:
        sources({"prometheus": {"web": []}}, "x")
    assert "monitoring" in (caught.value.hint or "")
