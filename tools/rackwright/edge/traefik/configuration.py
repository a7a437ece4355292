"""The whole of what the file provider reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rackwright.edge.answers import CIPHERS
from rackwright.edge.traefik.middlewares import middlewares
from rackwright.edge.traefik.routers import CERTIFIED, METRICS, routers
from rackwright.edge.traefik.services import services, transports

_CIPHERS = {
    "AES128-GCM-SHA256": "AES_128_GCM_SHA256",
    "AES256-GCM-SHA384": "AES_256_GCM_SHA384",
    "CHACHA20-POLY1305": "CHACHA20_POLY1305_SHA256",
}


def configuration(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return routers, middlewares, services and TLS.

    Args:
        settings: The role's variables without its name (domain, listen, sites, upstreams, trusted_proxies,
            cors_origins, rates and bursts, connections_per_address, upload_limit_mb, hsts_seconds,
            maintenance, timeouts, ca, challenges, metrics_callers), and of its own `files`, the URL of what
            serves files and answers; `tls`, the files with a certificate and its key; `client_authority`,
            the path of its file, empty for none.
    """
    return {
        "http": {
            "routers": routers(settings),
            "middlewares": middlewares(settings),
            "services": services(settings),
            "serversTransports": transports(settings),
        },
        "tls": {
            "certificates": [{"certFile": path, "keyFile": path} for path in settings["tls"]],
            "options": _options(settings),
        },
    }


def go_cipher(name: str) -> str:
    """Return Go's name of a suite of TLS 1.2 that OpenSSL calls so."""
    exchange, signed, cipher = name.split("-", 2)
    return f"TLS_{exchange}_{signed}_WITH_{_CIPHERS[cipher]}"


def _options(settings: Mapping[str, Any]) -> dict[str, Any]:
    modern = {
        "minVersion": "VersionTLS12",
        "cipherSuites": [go_cipher(name) for name in CIPHERS],
        # Who does not ask for one of our names gets no certificate.
        "sniStrict": True,
        "alpnProtocols": ["h2", "http/1.1"],
        "disableSessionTickets": True,
    }

    def asking(authority: str) -> dict[str, Any]:
        # A client without one gets no further than the handshake.
        wanted = {"caFiles": [authority], "clientAuthType": "RequireAndVerifyClientCert"}
        return modern | {"clientAuth": wanted}

    authority = settings["client_authority"]
    return {
        "default": modern,
        METRICS: asking(settings["ca"]),
        **({CERTIFIED: asking(authority)} if authority else {}),
    }
