"""A double of an identity provider, over TLS on loopback: it can be made to say what no real one would."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
from certificates import Certificate, certificate
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET, AUDIENCE = "rackwright", "a secret/with:signs", "rackwright-api"


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class ProviderDouble:
    """The provider.

    Attributes:
        changes: Claims of the next ID tokens that are other than they should be; None leaves one out.
        userinfo: What its userinfo endpoint tells.
        document: Entries of its discovery document that are other than they should be.
        asked: How often each path was asked.
        exchanges: The forms that came with codes, with the `Authorization` header.
    """

    port: int
    tls: Certificate
    key: rsa.RSAPrivateKey = field(default_factory=cache(_key))
    key_id: str = "k1"
    changes: dict[str, Any] = field(default_factory=dict)
    forged: str = ""
    userinfo: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    exchanges: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        """Its `iss`."""
        return f"https://localhost:{self.port}"

    def settings(self, **more: object) -> dict[str, Any]:
        """The app's settings for it."""
        client = {
            "id": CLIENT,
            "secret": SECRET,
            "redirect_uri": "https://ai.example.internal/api/auth/oidc/callback",
        }
        return {
            "issuer": self.issuer,
            "audience": AUDIENCE,
            "ca": self.tls.authority,
            "role_claim": "groups",
            "roles": {"platform": "admin", "staff": "user"},
            "client": client,
            **more,
        }

    def rotate(self) -> None:
        """Sign by another key from now on, and publish that one alone."""
        self.key, self.key_id = _key(), self.key_id + "x"

    def token(self, **changes: object) -> str:
        """Returns a signed token; an access token for the API unless told otherwise."""
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "f3b1",
            "preferred_username": "wang",
            "groups": ["platform"],
            "iat": now,
            "exp": now + 60,
            **changes,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, self.key, algorithm="RS256", headers={"kid": self.key_id})

    def authorize(self, url: str) -> dict[str, str]:
        """Signs somebody in who was sent here; returns what the browser is sent back with."""
        asked = dict(parse_qsl(urlsplit(url).query))
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def told(self, path: str) -> Mapping[str, Any] | None:
        """Returns what a path answers."""
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize?tenant=one",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/certs",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "end_session_endpoint": f"{self.issuer}/end",
                "authorization_response_iss_parameter_supported": True,
            } | self.document
        if path == "/certs":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
            return {"keys": [{**public, "kid": self.key_id, "use": "sig", "alg": "RS256"}]}
        return self.userinfo if path == "/userinfo" else None

    def exchange(self, form: dict[str, str]) -> Mapping[str, Any] | None:
        """Returns the tokens for a code; None when something does not fit."""
        self.exchanges.append(form)
        begun = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if begun is None or challenge != begun["code_challenge"]:
            return None
        token = self.token(**{"aud": CLIENT, "nonce": begun["nonce"], **self.changes})
        return {"access_token": "opaque", "token_type": "Bearer", "id_token": self.forged or token}


@contextmanager
def provider_double(directory: Path) -> Iterator[ProviderDouble]:
    """Runs the double."""
    made: list[ProviderDouble] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Says nothing."""

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            made[0].asked[path] += 1
            self._answer(made[0].told(path), 404)

        def do_POST(self) -> None:
            made[0].asked[self.path] += 1
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            form["authorization"] = self.headers.get("Authorization", "")
            self._answer(made[0].exchange(form), 400)

        def _answer(self, told: Mapping[str, Any] | None, otherwise: int) -> None:
            body = json.dumps({"error": "invalid_grant"} if told is None else told).encode()
            self.send_response(otherwise if told is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    tls = certificate(directory, "localhost")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    made.append(ProviderDouble(server.server_address[1], tls))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield made[0]
    finally:
        server.shutdown()
        server.server_close()
