"""Calls the site's object store from a machine of the scenario, with a library that others use as well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from machines import Machines

CLIENT = Path(__file__).with_name("s3_client.py").read_text()
CA = "/etc/rackwright/tls/ca.pem"
DATA = "/var/lib/rackwright-objects"
UNIT = "rackwright-objects"
MAIN = f"$(systemctl show -P MainPID {UNIT})"
Call = tuple[str, dict[str, Any]]


class S3:
    """The object store, as the programs of one host meet it."""

    def __init__(self, machines: Machines, host: str, secret: str) -> None:
        """Install the library.

        Args:
            machines: The scenario's; data1 has the objects.
            host: Which of them calls.
            secret: The account's.
        """
        self.machines, self.host, self.secret = machines, host, secret
        self.url = f"https://{machines.addresses['data1']}:9000"
        install = "DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends"
        self.inside(f"dpkg -s python3-boto3 > /dev/null 2>&1 || {install} python3-boto3")
        self.inside("cat > /run/s3_client.py", data=CLIENT)

    def inside(self, script: str, data: str = "") -> str:
        """Runs a script on the calling host."""
        return self.machines.inside(self.host, script, data=data)

    def job(self, *calls: Call, key: str = "", at: str = "") -> str:
        """What the client is told, the keys included: never an argument."""
        given = {"url": at or self.url, "account": "rackwright", "secret": key or self.secret, "ca": CA}
        return json.dumps({**given, "calls": calls})

    def __call__(self, *calls: Call, key: str = "", at: str = "") -> list[dict[str, Any]]:
        """Make calls, one after another; return what came back, `failed` with an error's name."""
        # As callers are told (docs/stores/objects.md).
        script = "AWS_REQUEST_CHECKSUM_CALCULATION=when_required timeout 60 python3 /run/s3_client.py"
        told = self.inside(script, self.job(*calls, key=key, at=at))
        return list(json.loads(told))


def put(text: str, key: str, bucket: str = "uploads") -> Call:
    """Keep an object."""
    return "put_object", {"Bucket": bucket, "Key": key, "Body": text}


def get(key: str, bucket: str = "uploads") -> Call:
    """Read one."""
    return "get_object", {"Bucket": bucket, "Key": key}


def delete(key: str, bucket: str = "uploads") -> Call:
    """Remove one."""
    return "delete_object", {"Bucket": bucket, "Key": key}


def listing(prefix: str = "", bucket: str = "uploads") -> Call:
    """Say what there is."""
    return "list_objects_v2", {"Bucket": bucket, "Prefix": prefix}
