"""What the shipper may do, what it tells of itself, and what the store lets it do."""

import json

import pytest
from asking import answer_of
from conftest import LogStore
from machines import Machines


def status_of(machines: Machines, path: str, user: str = "", body: object = None) -> int:
    """What the store says to the shipper's host."""
    secret = json.loads(machines.inside("data1", "cat /etc/rackwright/log-shipper/secrets.json"))["password"]
    url = f"https://{machines.addresses['ops1']}:9200{path}"
    return answer_of(machines, "data1", url, (user, secret), body)[0]


def test_the_shipper_may_add_and_nothing_else(machines: Machines) -> None:
    assert status_of(machines, "/") == 401
    assert status_of(machines, "/", "shipper") == 200
    assert status_of(machines, "/ai-platform-2026.01.01/_search", "shipper", {}) == 403
    assert status_of(machines, "/_security/user/reader", "shipper") == 403
    assert status_of(machines, "/_ilm/policy/ai-platform", "shipper") == 403


def test_it_runs_as_nobody_of_importance(machines: Machines) -> None:
    told = machines.inside("data1", "ps -o user:20=,args= -C rsyslogd,python3")
    ours = [line for line in told.splitlines() if "log-shipper" in line]
    assert len(ours) == 2
    assert all(line.startswith("rackwright-logs ") for line in ours)
    secret = json.loads(machines.inside("data1", "cat /etc/rackwright/log-shipper/secrets.json"))["password"]
    assert secret not in machines.inside(
        "data1", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' ' '"
    )
    assert (
        machines.inside("data1", "stat -c '%U %G %a' /etc/rackwright/log-shipper/secrets.json")
        == "root rackwright-logs 640"
    )
    assert machines.inside("data1", "systemctl is-active rsyslog.service", check=False) == "inactive"


def test_every_service_of_the_hosts_is_in_the_store(log_store: LogStore) -> None:
    found = {(line.host, line.service) for line in log_store.lines()}
    wanted = {
        "data1": ("redis", "postgresql", "system"),
        "ops1": ("elasticsearch", "docker"),
        "app1": ("sshd",),
    }
    for host, services in wanted.items():
        assert {(host, service) for service in services} <= found


def test_its_metrics_are_published(machines: Machines) -> None:
    metrics = machines.inside("data1", "cat /var/lib/prometheus/node-exporter/rackwright-logs.prom")
    values = dict(line.split() for line in metrics.splitlines() if not line.startswith("#"))
    assert float(values["rackwright_logs_sent_total"]) > 0
    assert values["rackwright_logs_dropped_total"] == "0"
    assert values["rackwright_logs_store_up"] == "1"
    published = machines.inside(
        "data1",
        f"curl -s --cacert /etc/rackwright/tls/ca.pem https://{machines.addresses['data1']}:9100/metrics",
        check=False,
    )
    assert not published or "rackwright_logs_waiting" in published


def test_objects_are_in_force_and_a_second_run_changes_none(machines: Machines) -> None:
    told = machines.inside(
        "ops1",
        f"rackwright-elasticsearch https://{machines.addresses['ops1']}:9200"
        " /etc/rackwright/elasticsearch /etc/rackwright/tls/ca.pem",
    )
    assert told == ""


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ({"log_store": "splunk"}, "log_store"),
        ({"log_space_mb": 500_000}, "log_space_mb is 500000"),
        ({"vault_log_shipper_password": "short"}, "log_shipper_store.password"),
    ],
    ids=["unknown store", "more than the disk", "weak secret"],
)
def test_bad_input_is_refused_before_a_host_is_changed(
    machines: Machines, extra: dict[str, object], told: str
) -> None:
    playbook = "playbooks/logging.yml" if "vault_log_shipper_password" in extra else "playbooks/preflight.yml"
    code, output = machines.play(playbook, "localhost,data1", **extra)
    assert code != 0
    assert told in output
