"""Where uploads are kept when it is a bucket, asked as the release's library asks it.

By signature version 4, and with the bucket in the path. The library itself is not in the image.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import urllib.error
import urllib.request
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from common import fail, say

STARTED = "double/started"


def uploads() -> None:
    """Keep an object, where there is a bucket, and read it again; end when that fails."""
    if os.environ["STORAGE_TYPE"] != "s3":
        return
    if os.environ["S3_ADDRESS_STYLE"] != "path":
        fail("the bucket's name would be asked of a name server")
    if os.environ["AWS_REQUEST_CHECKSUM_CALCULATION"] != "when_required":
        fail("the library would send a checksum behind each object")
    try:
        _ask("HEAD", "")
        _ask("PUT", STARTED, b"started")
        found = _ask("GET", STARTED)
    except urllib.error.URLError as error:
        fail(f"the bucket does not answer: {error}")
    if found != b"started":
        fail(f"the bucket tells {found!r}")
    say("the bucket answers")


def _ask(method: str, name: str, body: bytes = b"") -> bytes:
    told = os.environ
    place = urlsplit(told["S3_ENDPOINT"])
    if place.scheme != "https":
        fail("the bucket would be asked in clear")
    path = quote(f"/{told['S3_BUCKET_NAME']}" + (f"/{name}" if name else ""))
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": place.netloc, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    signed = ";".join(headers)
    canonical = [method, path, "", *(f"{key}:{value}" for key, value in headers.items()), "", signed, digest]
    scope = f"{stamp[:8]}/{told['S3_REGION']}/s3/aws4_request"
    request_digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    key = f"AWS4{told['S3_SECRET_KEY']}".encode()
    for part in (*scope.split("/"), "\n".join(["AWS4-HMAC-SHA256", stamp, scope, request_digest])):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    account = f"Credential={told['S3_ACCESS_KEY']}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 {account}, SignedHeaders={signed}, Signature={key.hex()}"
    request = urllib.request.Request(f"https://{place.netloc}{path}", body or None, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return bytes(answer.read())
