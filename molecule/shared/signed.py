"""Signature version 4, as S3's callers make it (AWS documentation, authenticating requests)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

ACCOUNT, REGION = "rackwright", "us-east-1"


def signed(method: str, url: str, secret: str, body: bytes | None = b"") -> Mapping[str, str]:
    """Return the headers of a request; without a body at hand (None) its content is not signed."""
    parts, now = urlsplit(url), datetime.now(UTC)
    digest = "UNSIGNED-PAYLOAD" if body is None else hashlib.sha256(body).hexdigest()
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": parts.netloc, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    names = ";".join(headers)
    query = urlencode(sorted(parse_qsl(parts.query, keep_blank_values=True)), quote_via=quote)
    lines = [method, quote(parts.path or "/"), query, *(f"{name}:{value}" for name, value in headers.items())]
    request = "\n".join([*lines, "", names, digest])
    scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    given = f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "Authorization": given}
