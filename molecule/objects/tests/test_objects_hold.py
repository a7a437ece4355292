"""What objects outlive: a restart, a kill, half an upload; and a tool of the field that works with them."""

from __future__ import annotations

import hashlib
import time

import pytest
from conftest import Run
from s3 import CA, DATA, MAIN, S3, UNIT, get, listing, put

# An upload whose second half never comes.
HALF = """
import io, json, sys, time
import boto3
from botocore.config import Config
class Halting(io.BytesIO):
    def read(self, size=-1):
        if self.tell() >= 4_000_000:
            time.sleep(60)
        return super().read(size)
job = json.load(sys.stdin)
client = boto3.client(
    "s3", endpoint_url=job["url"], region_name="us-east-1", verify=job["ca"],
    aws_access_key_id=job["account"], aws_secret_access_key=job["secret"],
    config=Config(request_checksum_calculation="when_required", s3={"payload_signing_enabled": False}),
)
client.put_object(Bucket="uploads", Key="whole", Body=Halting(b"x" * 8_000_000))
"""
KEEP = f"""
. /dev/stdin
set -e
rm -rf /tmp/kept /tmp/back
mkdir /tmp/kept
head -c 30000000 /dev/urandom > /tmp/kept/large
restic --no-cache --cacert {CA} init
restic --no-cache --cacert {CA} backup /tmp/kept
restic --no-cache --cacert {CA} check --read-data
restic --no-cache --cacert {CA} restore latest --target /tmp/back
cmp /tmp/kept/large /tmp/back/tmp/kept/large
"""


def serves(s3: S3, key: str, text: str) -> None:
    """Waits until the store answers again, and sees that it tells what it should."""
    until = time.monotonic() + 60
    while "failed" in (told := s3(get(key))[0]) and time.monotonic() < until:
        time.sleep(1)
    assert told.get("Body") == text, told


def test_a_large_one_comes_in_parts_and_a_listing_does_not_read_it(s3: S3, data: Run) -> None:
    size = 32 * 2**20
    assert s3(("upload", {"Bucket": "uploads", "Key": "large", "size": size})) == [{}]
    wanted = hashlib.sha256(bytes(range(256)) * (size // 256)).hexdigest()
    assert data(f"sha256sum < {DATA}/uploads/large").split()[0] == wanted
    assert data(f"stat -c '%U %a' {DATA}/uploads/large") == f"{UNIT} 640"
    assert s3(listing("large"))[0]["Contents"][0]["Size"] == size
    # What it remembers of a directory, and a second.
    time.sleep(6)
    read = f"sed -n 's/^rchar: //p' /proc/{MAIN}/io"
    before = int(data(read))
    s3(listing("large"), ("head_object", {"Bucket": "uploads", "Key": "large"}))
    assert int(data(read)) - before < size // 8


def test_what_is_replaced_stays_what_it_was_under_a_second_name(s3: S3, data: Run) -> None:
    """That is how a backup holds objects: none is ever written in place."""
    second = f"{DATA}/.second"
    s3(put("one", "held"))
    data(f"ln {DATA}/uploads/held {second}")
    try:
        s3(put("two", "held"), ("upload", {"Bucket": "uploads", "Key": "held", "size": 8 * 2**20}))
        assert data(f"cat {second}") == "one"
    finally:
        data(f"rm {second}")


@pytest.mark.parametrize("how", [f"systemctl restart {UNIT}", f"kill -9 {MAIN}"], ids=["restart", "kill"])
def test_what_was_acknowledged_outlives(how: str, s3: S3, data: Run) -> None:
    s3(put(how, "kept"))
    data(how)
    serves(s3, "kept", how)


def test_a_kill_in_the_middle_of_an_upload_leaves_what_was_there(s3: S3, data: Run) -> None:
    s3(put("whole", "whole"))
    s3.inside("cat > /run/half.py", HALF)
    s3.inside("umask 077; cat > /run/half.json", s3.job())
    s3.inside("(timeout 60 python3 /run/half.py < /run/half.json > /dev/null 2>&1 &); sleep 3")
    found = f"find {DATA}/uploads -name '.rclone_temp*' -size +1M"
    assert data(found), "half of it is there, by another name"
    data(f"kill -9 {MAIN}")
    serves(s3, "whole", "whole")
    assert data(found) == "", "halves do not stay"


def test_a_backup_tool_makes_a_repository_in_it(s3: S3, data: Run) -> None:
    s3.inside("dpkg -s restic > /dev/null 2>&1 || DEBIAN_FRONTEND=noninteractive apt-get install -yqq restic")
    data(f"rm -rf {DATA}/kept")
    account = {"AWS_ACCESS_KEY_ID": "rackwright", "AWS_SECRET_ACCESS_KEY": s3.secret}
    place = {"RESTIC_REPOSITORY": f"s3:{s3.url}/kept/restic", "RESTIC_PASSWORD": "throw-away"}
    told = "".join(f"export {name}={value}\n" for name, value in {**account, **place}.items())
    assert "no errors were found" in s3.inside(KEEP, told)
    data(f"rm -rf {DATA}/kept")
