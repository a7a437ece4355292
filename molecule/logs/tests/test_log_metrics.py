"""What Prometheus hears of shippers and store: a real exporter beside it, and every query of the board."""

import time

from machines import Machines
from watched import Watched

from rackwright.dashboards.boards.logs import LOGS
from rackwright.dashboards.promql import filled

STORE = "elasticsearch"


def answered(watched: Watched, expr: str, seconds: float = 90) -> bool:
    """Tell whether a query has data, at the latest when the site was scraped a few times."""
    ended = time.monotonic() + seconds
    while not watched.query(expr):
        if time.monotonic() > ended:
            return False
        time.sleep(3)
    return True


def test_the_store_is_watched_as_somebody_who_reads_no_line(watched: Watched, machines: Machines) -> None:
    assert answered(
        watched, 'elasticsearch_cluster_health_status{color="green", service="elasticsearch"} == 1'
    )
    unit = "prometheus-elasticsearch-exporter"
    process = machines.inside("ops1", f"systemctl show -p MainPID --value {unit}")
    environment = machines.inside("ops1", f"tr '\\0' '\\n' < /proc/{process}/environ")
    assert "ES_USERNAME=monitoring" in environment
    # The one place that it takes its password from; not for everybody, and not in its arguments.
    assert machines.inside("ops1", f"stat -c %a /etc/default/{unit}") == "640"
    assert "ES_PASSWORD" not in machines.inside("ops1", "ps -eo args")


def test_every_query_about_it_returns_data(watched: Watched) -> None:
    asked = [query.expr for _, query in LOGS.queries() if STORE in query.needs]
    assert asked
    assert [expr for expr in asked if not answered(watched, filled(expr))] == []


def test_every_shipper_is_heard(watched: Watched) -> None:
    assert answered(watched, "count(rackwright_logs_store_up == 1) == 3")
