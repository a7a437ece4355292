"""MongoDB as its callers meet it, killed, kept, proved and brought back.

The server is a double (tests/doubles/mongodb), as are the programs that copy; the shell by which the role and
the backups ask it, and the driver of the callers, are the real ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from conftest import Cli, Client
from machines import Machines

Ask = Callable[..., Any]
ROWS = 2000
WRONG = "no-password-of-this-site"
COUNT = "print(db.notes.count_documents({}))"
INSIDE = "docker exec -i mongodb"
TRAVELLED = """
import subprocess
program = "/usr/local/sbin/rackwright-store"
data = bytearray(subprocess.run([program, "send", "mongodb"], capture_output=True, check=True).stdout)
{change}
done = subprocess.run([program, "receive", "mongodb"], input=bytes(data), capture_output=True)
print(done.returncode, done.stdout.decode(), done.stderr.decode())
"""
SHELL = f"{INSIDE} mongosh --quiet --norc --host data1 --port 27017 --tls --tlsCAFile /tls-ca.pem"


def details_of(cli: Cli) -> dict[str, str]:
    """Returns what the site's health says of each server."""
    services = json.loads(cli("health", "--json").stdout)["services"]
    return {entry["host"]: entry["detail"] for entry in services if entry["service"] == "mongodb"}


@pytest.fixture(scope="module", autouse=True)
def rows(client: Client) -> None:
    """Something to keep, made by the program whose database it is."""
    said = client(
        "db.notes.drop(); db.notes.create_index('word');"
        f" db.notes.insert_many([{{'_id': n, 'word': str(n) * 40}} for n in range({ROWS})]);"
        " db.sheets.drop(); db.create_collection('sheets')"
    )
    assert said == ""


def test_it_runs_as_it_was_told(machines: Machines) -> None:
    told = json.loads(machines.inside("data1", "docker inspect mongodb"))[0]
    assert told["HostConfig"]["ReadonlyRootfs"]
    assert told["Config"]["User"] == "60650:60650"
    assert told["HostConfig"]["Memory"] >= 768 << 20
    published = told["HostConfig"]["PortBindings"]
    assert published == {"27017/tcp": [{"HostIp": machines.addresses["data1"], "HostPort": "27017"}]}
    conf = machines.inside("data1", f"{INSIDE} cat /etc/mongod.conf")
    assert re.search(r"cacheSizeGB: \d+\.\d+", conf)
    assert "mode: requireTLS" in conf


def test_callers_come_over_tls_with_a_password_and_from_their_address_alone(
    client: Client, machines: Machines
) -> None:
    assert client(COUNT) == str(ROWS)
    assert "AuthenticationFailed" in client(COUNT, password=WRONG)
    assert "AuthenticationFailed" in client(COUNT, user="nobody")
    assert client(COUNT, tls=False).startswith("refused:")
    # Nor without knowing who signed its certificate.
    assert client(COUNT, tls=True).startswith("refused:")
    port = (machines.addresses["data1"], 27017)
    found = machines.probe(["app1", "ops1"], [port])
    assert found["app1"][port] == "open"
    assert found["ops1"][port] != "open"


def test_an_account_is_for_the_callers_addresses_and_the_hosts_own_for_the_host(
    client: Client, machines: Machines, variables: Mapping[str, Any]
) -> None:
    admin = {"user": "rackwright", "password": str(variables["vault_mongodb_admin_password"])}
    assert "AuthenticationFailed" in client("print(client.list_database_names())", **admin)
    asked = {"user": "app", "password": str(variables["vault_mongodb_app_password"])}
    text = (
        f"try {{ db.getSiblingDB('admin').auth({json.dumps(asked['user'])}, {json.dumps(asked['password'])});"
    )
    text += " print('came in') } catch (error) { print(error.codeName) }\n"
    assert "AuthenticationFailed" in machines.inside("data1", SHELL, data=text)


def test_users_do_in_their_databases_what_they_may_and_nothing_elsewhere(client: Client) -> None:
    shop = {"user": "clerk", "database": "shop_orders"}
    assert client("db.orders.drop(); db.orders.insert_one({'_id': 1})", **shop) == ""
    assert client(COUNT, user="clerk") == str(ROWS)
    for statement, database in (
        ("db.notes.delete_many({})", "app"),
        ("db.mine.insert_one({})", "app"),
        ("client.drop_database('shop_orders')", "shop_orders"),
        ("db.things.insert_one({})", "shopXorders"),
        ("print(db['system.users'].find_one())", "admin"),
        ("db.command({'createUser': 'other', 'pwd': 'x' * 20, 'roles': []})", "admin"),
        ("db.command({'rotateCertificates': 1})", "admin"),
    ):
        said = client(statement, user="clerk", database=database)
        assert "not authorized" in said, f"{statement}: {said}"
    assert client("print(sorted(client.list_database_names()))", user="clerk") == "['app', 'shop_orders']"


def test_nobodys_password_is_where_it_could_be_read(machines: Machines, variables: Mapping[str, Any]) -> None:
    for name in ("vault_mongodb_app_password", "vault_mongodb_admin_password"):
        secret = str(variables[name])
        for seen in ("docker inspect mongodb", "docker logs mongodb 2>&1", "cat /proc/[0-9]*/cmdline"):
            assert secret not in machines.inside("data1", seen)
        assert secret not in machines.inside("data1", "journalctl --no-pager -q")
        places = "grep -rlaF -f - /etc /var/log /var/lib/rackwright-mongodb /var/lib/rackwright || true"
        found = machines.inside("data1", places, data=secret)
        # The file that the programs for copies read, which only root and the container can.
        allowed = "/etc/rackwright/containers/mongodb/secrets/tools.yaml"
        assert set(found.split()) <= {allowed}, found
        # What the shell would keep of its own.
        assert machines.inside("data1", f"{INSIDE} grep -rlaF -f - /tmp || true", data=secret) == ""
    mode = machines.inside("data1", "stat -c %a /etc/rackwright/containers/mongodb/secrets/tools.yaml")
    assert mode == "400"


def test_what_was_acknowledged_outlives_a_kill(client: Client, machines: Machines) -> None:
    assert client("db.acknowledged.drop()") == ""
    last = 0
    for number in range(1, 13):
        assert client(f"db.acknowledged.insert_one({{'_id': {number}}})") == ""
        last = number
        if number == 6:
            pid = machines.inside("data1", "docker inspect -f '{{.State.Pid}}' mongodb")
            machines.inside("data1", f"kill -9 {pid}")
            up = "docker exec mongodb bash -c 'exec 3<>/dev/tcp/127.0.0.1/27017' 2>/dev/null"
            machines.inside("data1", f"for _ in $(seq 100); do {up} && exit; sleep 0.3; done; exit 1")
    assert client("print(db.acknowledged.count_documents({}))") == str(last)


def test_its_health_is_told(cli: Cli) -> None:
    found = details_of(cli)
    assert set(found) == {"data1", "data2"}
    assert all(detail.startswith("takes writes") for detail in found.values()), found


def test_it_is_kept_and_proved(keeper: Ask, machines: Machines) -> None:
    (made,) = keeper("backup", "data1/mongodb")
    assert "failed" not in made, made
    (found,) = keeper("verify", "data1/mongodb")
    assert found["ok"], found
    assert "documents are what they were" in found["detail"]
    assert machines.inside("data1", "ls /var/lib/rackwright/backup-staging") == ""
    # Of what is kept nothing can be read without the key.
    kept = "grep -rlaF -e app.archive /var/lib/rackwright/backup/restic | wc -l"
    assert machines.inside("ops1", kept) == "0"


def test_a_backup_comes_back_and_is_what_it_was(
    client: Client, keeper: Ask, cli: Cli, machines: Machines
) -> None:
    (made,) = keeper("backup", "data1/mongodb")
    assert "failed" not in made, made
    seen = (
        "print([db.command({'count': name})['n'] for name in ('notes', 'sheets', 'acknowledged')],"
        " sorted(db.list_collection_names()), sorted(db.notes.index_information()),"
        " db.notes.find_one({'_id': 7}))"
    )
    before = client(seen)
    client("db.notes.delete_many({'_id': 7}); db.acknowledged.drop(); db.sheets.insert_one({'_id': 'late'})")
    assert client(seen) != before
    refused = cli("restore", "data1/mongodb")
    assert refused.returncode != 0
    assert "--confirm data1/mongodb" in refused.stdout + refused.stderr
    done = cli("restore", "data1/mongodb", "--json", "--confirm", "data1/mongodb")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)["streams"]["data1/mongodb"]
    assert told["rows"] == told["rows_in_backup"] >= ROWS
    assert client(seen) == before
    # What was there before is kept.
    aside = machines.inside("data1", f"grep -c late {told['aside']}/app.archive; stat -c %a {told['aside']}")
    assert aside.split() == ["1", "700"]


def test_a_backup_comes_back_on_another_host(
    client: Client, keeper: Ask, cli: Cli, machines: Machines
) -> None:
    seen = "print(sorted(db.notes.index_information()), db.notes.find_one({'_id': 7}))"
    own = "db.notes.drop(); db.notes.insert_one({'_id': 'before'}); db.own.drop(); db.own.insert_one({})"
    assert client(own, at="data2") == ""
    (made,) = keeper("backup", "data1/mongodb")
    assert "failed" not in made, made
    refused = cli("restore", "data1/mongodb", "--onto", "data2", "--confirm", "data1/mongodb")
    assert refused.returncode != 0
    assert "--confirm data2/mongodb" in refused.stdout + refused.stderr
    assert client(COUNT, at="data2") == "1"
    done = cli("restore", "data1/mongodb", "--json", "--onto", "data2", "--confirm", "data2/mongodb")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)["streams"]["data1/mongodb"]
    # What the copy does not have stays.
    assert told["rows"] - 1 == told["rows_in_backup"] >= ROWS
    for host in ("data1", "data2"):
        assert client(COUNT, at=host) == str(ROWS)
        assert client(seen, at=host) == client(seen)
    # Its users are the site's, and those of the other host before; what was there is kept beside.
    assert "AuthenticationFailed" in client(COUNT, password=WRONG, at="data2")
    assert machines.inside("data2", f"grep -c before {told['aside']}/app.archive") == "1"
    assert "before" not in machines.inside("data1", f"grep -a -o before {told['aside']}/app.archive || true")
    assert all(detail.startswith("takes writes") for detail in details_of(cli).values())
    # What comes back there is a store of its own: kept and proved as any.
    (made,) = keeper("backup", "data2/mongodb")
    assert "failed" not in made, made
    (found,) = keeper("verify", "data2/mongodb")
    assert found["ok"], found


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("data[len(data) // 2] ^= 1", "are not what the backup's manifest says"),
        (
            """data = data.replace(b'"version": "8.0"', b'"version": "7.0"')""",
            "is of MongoDB 7.0, this host has 8.0; nothing was changed",
        ),
        ("del data[len(data) // 2 :]", "the backup"),
    ],
)
def test_a_damaged_copy_and_one_of_another_series_change_nothing(
    machines: Machines, client: Client, change: str, told: str
) -> None:
    """What travels is compared before the running server is touched."""
    status, said = machines.inside("data1", "python3 -", data=TRAVELLED.format(change=change)).split(" ", 1)
    assert status == "3", said
    assert told in said
    assert client(COUNT) == str(ROWS)


def test_the_role_finds_nothing_to_do_afterwards(machines: Machines) -> None:
    status, said = machines.play("playbooks/mongodb.yml", "data1,data2")
    assert status == 0, said
    assert set(re.findall(r"changed=(\d+)", said)) == {"0"}, said


def test_new_passwords_are_taken_in_by_the_play_alone(
    machines: Machines, client: Client, variables: Mapping[str, Any]
) -> None:
    fresh, own = "another-long-random-value", "another-value-of-the-hosts-own-account"
    began = "docker inspect -f '{{.State.StartedAt}}' mongodb"
    started = machines.inside("data1", began)
    status, said = machines.play("playbooks/mongodb.yml", "data1", vault_mongodb_app_password=fresh)
    assert status == 0, said
    assert client(COUNT, password=fresh) == str(ROWS)
    assert "AuthenticationFailed" in client(COUNT)
    assert machines.inside("data1", began) == started
    status, said = machines.play("playbooks/mongodb.yml", "data1", vault_mongodb_admin_password=own)
    assert status != 0
    assert "mongodb_former_admin_password" in said
    former = {"mongodb_former_admin_password": str(variables["vault_mongodb_admin_password"])}
    status, said = machines.play("playbooks/mongodb.yml", "data1", vault_mongodb_admin_password=own, **former)
    assert status == 0, said
    status, said = machines.play("playbooks/mongodb.yml", "data1", mongodb_former_admin_password=own)
    assert status == 0, said
    assert client(COUNT) == str(ROWS)


def test_a_new_certificate_is_taken_in_without_a_restart(machines: Machines, client: Client) -> None:
    began = "docker inspect -f '{{.State.StartedAt}}' mongodb"
    connect = f"openssl s_client -connect {machines.addresses['data1']}:27017 </dev/null 2>/dev/null"
    shown = f"{connect} | openssl x509 -noout -serial"
    started, before = machines.inside("data1", began), machines.inside("app1", shown)
    machines.inside("data1", "rm /etc/rackwright/tls/mongodb/cert.pem")
    status, said = machines.play("playbooks/base.yml", "data1", "--tags", "tls")
    assert status == 0, said
    status, said = machines.play("playbooks/mongodb.yml", "data1")
    assert status == 0, said
    assert machines.inside("app1", shown) != before
    assert machines.inside("data1", began) == started
    assert client(COUNT) == str(ROWS)
