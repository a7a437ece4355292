"""Docker's own rules must not open what the zone closes."""

from conftest import other_than_declared
from machines import CONTAINER, Machines


def address_of(machines: Machines, container: str) -> str:
    return machines.inside("app1", f"docker inspect -f '{{{{.NetworkSettings.IPAddress}}}}' {container}")


def from_a_container(machines: Machines, address: str, port: int) -> bool:
    command = f"docker exec declared /bin/busybox nc -w 2 {address} {port} </dev/null && echo open || true"
    return machines.inside("app1", command).endswith("open")


def test_a_declared_published_port_is_open_to_its_callers_only(machines: Machines) -> None:
    target = (machines.addresses["app1"], 8080)
    answers = machines.probe(["ops1", "edge1", "data1", "outside1"], [target])
    assert {host for host, results in answers.items() if results[target] == "open"} == {"ops1"}


def test_a_port_that_docker_published_by_itself_stays_closed(machines: Machines) -> None:
    target = (machines.addresses["app1"], CONTAINER)
    answers = machines.probe(["ops1", "edge1", "data1", "outside1"], [target])
    assert {host for host, results in answers.items() if results[target] == "open"} == set()


def test_a_container_is_not_reached_by_a_route_around_its_published_port(machines: Machines) -> None:
    address = address_of(machines, "declared")
    # Its host takes the packets (ops1 may call the published port); the gateway passes them on.
    network = f"{address.rsplit('.', 2)[0]}.0.0/16"
    machines.inside("ops1", f"nft add rule inet rackwright outbound ip daddr {address} accept")
    try:
        machines.inside("ops1", f"ip route replace {network} via {machines.gateway_of('ops1')}")
        machines.on_gateway(f"ip route replace {network} via {machines.addresses['app1']}")
        arrived = "iptables -t raw -I PREROUTING -d {0} -j ACCEPT"
        machines.inside("app1", arrived.format(address))
        results = machines.probe(["ops1"], [(address, 80), (address, 8080)])["ops1"]
        counted = machines.inside("app1", f"iptables -t raw -nvxL PREROUTING | grep {address}").split()[0]
        # They did come as far as app1.
        assert int(counted) > 0
        assert "open" not in results.values()
    finally:
        machines.inside("app1", f"iptables -t raw -D PREROUTING -d {address} -j ACCEPT", check=False)
        machines.inside("ops1", f"ip route del {network}", check=False)
        machines.on_gateway(f"ip route del {network}")
        assert machines.apply("ops1")[0] == 0


def test_a_container_opens_what_its_host_may_open_and_nothing_else(machines: Machines) -> None:
    assert from_a_container(machines, machines.addresses["data1"], 5432)
    assert not from_a_container(machines, machines.addresses["data1"], 22)
    assert not from_a_container(machines, machines.addresses["outside1"], 443)
    assert not from_a_container(machines, machines.addresses["app1"], 22)


def test_containers_of_one_network_reach_each_other(machines: Machines) -> None:
    assert from_a_container(machines, address_of(machines, "undeclared"), 80)


def test_docker_started_anew_opens_nothing(machines: Machines) -> None:
    machines.inside("app1", "systemctl restart docker && docker start declared undeclared")
    app = machines.addresses["app1"]
    answers = machines.probe(["ops1", "outside1"], [(app, 8080), (app, CONTAINER)])
    assert answers["ops1"][app, 8080] == "open"
    assert set(answers["outside1"].values()) == {"timeout"}
    assert other_than_declared(machines, "app1") == {}
