"""What the edge says, whichever proxy it is: its own answers, its ciphers, how long files are kept."""

from __future__ import annotations

# The answers that a proxy gives itself: JSON where an API is, else a page. What it cannot read at all (400),
# or to its end (414), has no path that could lead to one.
_ERRORS = {
    403: "this address may not use it",
    404: "there is nothing here",
    405: "this method is not allowed here",
    408: "the request took too long",
    413: "the request is larger than {upload_limit_mb} MB",
    429: "too many requests, slow down",
    500: "the proxy failed",
    502: "the service does not answer",
    503: "the service is not available",
    504: "the service took too long",
}
# What proxies tell services of a request beside what ours do: of a client it is worth nothing, and a service
# behind might believe it.
NOT_BELIEVED = (
    "Forwarded",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Scheme",
)
CLOSED = "系统维护中，请稍后再试 · Closed for maintenance, please come back later."
# Of TLS 1.2; those of TLS 1.3 are all good and need no list.
CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
# text/event-stream is not among them: a compressed stream would wait for a full block.
COMPRESSED = (
    "text/plain",
    "text/css",
    "text/csv",
    "text/javascript",
    "text/xml",
    "application/javascript",
    "application/json",
    "application/manifest+json",
    "application/xml",
    "image/svg+xml",
)
STYLE = (
    "body{font:16px/1.6 system-ui,sans-serif;color:#1f2430;background:#f5f6f8;display:grid;"
    "place-items:center;min-height:95vh;margin:0}main{background:#fff;padding:2.5rem 3rem;border-radius:12px;"
    "box-shadow:0 2px 16px #0001;max-width:34rem}h1{margin:0;font-size:2.6rem}small{color:#777}"
    "@media(prefers-color-scheme:dark){body{color:#e6e8ee;background:#14161b}main{background:#1e2128}}"
)
# Paths of the front end, as regular expressions of nginx: files whose name changes with their content are
# kept for a year, pages never; the rest is asked for anew each time.
CACHING = (
    ("^/assets/", "public, max-age=31536000, immutable"),
    (r"^.*[.-][0-9a-f]{8,}\.[a-z0-9]+$", "public, max-age=31536000, immutable"),
    (r"^.*\.html$", "no-store"),
    ("^", "no-cache"),
)


def errors(upload_limit_mb: int) -> dict[int, str]:
    """Return what is said with each status."""
    return {status: text.format(upload_limit_mb=upload_limit_mb) for status, text in _ERRORS.items()}
