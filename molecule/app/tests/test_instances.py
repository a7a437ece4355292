"""Two instances behind the edge, with people at work: replaced one by one, and one of them killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from caller import Callers, caller
from machines import SOURCES, Machines

from rackwright.pki.authority import Authority
from rackwright.pki.location import pki_directory
from rackwright.secrets.token import access_token
from rackwright.site.inventory import Inventory

INSTANCES = ("app1", "app2")
UNIT = "rackwright-app.service"
# Dead is a process that is gone: what reached it before was its to answer.
KILL = f"""
main=$(systemctl show -P MainPID {UNIT}); all="$main $(pgrep -P $main)"
systemctl kill --kill-whom=all -s KILL {UNIT}
for each in $all; do while [ -e /proc/$each ]; do sleep 0.01; done; done
"""
USERS = 120
CA = "/run/site-ca.pem"
WORKFLOW = {"workflow": {"steps": [{"id": "one", "type": "transform", "template": "{{ 1 + 1 }}"}]}}


@pytest.fixture(scope="module")
def callers(machines: Machines, inventory: Inventory) -> Callers:
    """People outside: two read streams, three run small workflows; some keep their connection."""
    variables = inventory.hosts["edge1"].variables
    name, secret = f"api.{variables['domain']}", str(variables["vault_jwt_secret"])
    entry = f"{machines.addresses['edge1']} {name}"
    machines.inside("outside1", f"grep -qF '{entry}' /etc/hosts || echo '{entry}' >> /etc/hosts")
    machines.inside(
        "outside1", f"cat > {CA}", data=Authority(pki_directory(SOURCES)).certificate_path.read_text()
    )
    # Each may ask a hundred times an hour.
    tokens = [access_token(secret, user=f"caller{number}", role="user", hours=1) for number in range(USERS)]

    def one(number: int, path: str, body: dict[str, Any], end: str, *, keep: bool) -> dict[str, Any]:
        mine = tokens[number::5]
        url = f"https://{name}/api/{path}"
        return {**caller(url, mine, body, name=f"{path}{number}", keep=keep, end=end, pause=0.05), "ca": CA}

    question, small = {"message": "What is a rack?"}, {**WORKFLOW, "stream": False}
    return Callers(
        machines,
        "outside1",
        [
            one(0, "chat", question, "event: done", keep=True),
            one(1, "chat", question, "event: done", keep=False),
            one(2, "workflow/check", WORKFLOW, '"problems"', keep=True),
            one(3, "workflow/check", WORKFLOW, '"problems"', keep=False),
            one(4, "workflow", small, '"output"', keep=True),
        ],
    )


def served_by(machines: Machines, since: int) -> set[str]:
    """The instances that answered since a line of the edge's log."""
    script = f'tail -n +{since + 1} /var/log/nginx/access.log | grep -o \'"upstream":"[0-9.]*\' | sort -u'
    addresses = machines.inside("edge1", script)
    return {host for host in INSTANCES if machines.addresses[host] in addresses}


def await_both(machines: Machines) -> None:
    """Waits until both instances answer; the one that was killed comes back by itself."""
    since, ends = lines(machines), time.monotonic() + 60
    while (served := served_by(machines, since)) != set(INSTANCES):
        assert time.monotonic() < ends, f"only {served} served for a minute"
        time.sleep(1)


def lines(machines: Machines, log: str = "access") -> int:
    return int(machines.inside("edge1", f"wc -l < /var/log/nginx/{log}.log"))


def replace(machines: Machines, host: str, verb: str = "restart") -> None:
    """Replace an instance, and wait until it serves again."""
    machines.inside(host, f"systemctl {verb} {UNIT}")
    time.sleep(3)


def test_instances_replaced_in_turn_and_at_once_fail_no_request(
    machines: Machines, callers: Callers, tell: Callable[[str], None]
) -> None:
    since = lines(machines)
    callers.start()
    for host in INSTANCES:
        replace(machines, host)
    # As a run of the site's playbook does it.
    for host in INSTANCES:
        machines.inside(host, f"systemctl --no-block restart {UNIT}")
    time.sleep(8)
    notes = callers.stop()
    assert [note for note in notes if not note["ok"]] == []
    assert {note["caller"] for note in notes} == {each["name"] for each in callers.callers}
    assert served_by(machines, since) == set(INSTANCES)
    tell(f"{len(notes)} requests while each instance was replaced twice; none failed")


def test_killing_one_while_the_other_is_replaced_costs_only_what_it_was_answering(
    machines: Machines, callers: Callers, tell: Callable[[str], None]
) -> None:
    before = lines(machines, "error")
    callers.start()
    machines.inside("app1", f"systemctl reload {UNIT}")
    killed = time.time()
    machines.inside("app2", KILL)
    dead = time.time()
    time.sleep(10)
    await_both(machines)
    notes = callers.stop()
    failed = [note for note in notes if not note["ok"]]
    told = [(note["began"] - killed, note["ended"] - killed, note["why"]) for note in failed]
    assert [each for each in told if not (each[0] < dead - killed and each[1] > 0)] == []
    # Each caller waits for one answer at a time.
    assert len(failed) <= len(callers.callers)
    complaints = machines.inside("edge1", f"tail -n +{before + 1} /var/log/nginx/error.log")
    assert f'upstream: "https://{machines.addresses["app1"]}' not in complaints
    tell(f"{len(notes)} requests; the killed instance was answering {len(failed)} of them")
