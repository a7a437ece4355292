"""A double of MongoDB's commands: those that the platform, drivers and the tests need, and who may give them.

As strict as the documentation: an option that a command does not have is refused, a role that does not exist
too, and so is what a user's roles do not allow.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime
from typing import Any

from documents import Documents
from kept import Store, key_of
from wire import MECHANISM, CommandError, Conversation, Doc, credentials

VERSION = "8.0.0-double"
READ = {"find", "count", "aggregate", "listCollections", "listIndexes", "dbStats", "getMore"}
WRITE = READ | {"insert", "update", "delete", "create", "drop", "createIndexes"}
ADMIN = {"listCollections", "listIndexes", "dbStats", "create", "drop", "dropDatabase", "createIndexes"}
# Role -> what it allows in its own database; of those in admin, anywhere.
ROLES = {"read": READ, "readWrite": WRITE, "dbAdmin": ADMIN}
ANYWHERE = {
    "userAdminAnyDatabase": {"createUser", "updateUser", "dropUser", "usersInfo", "listDatabases"},
    "backup": {"find", "getMore", "count", "aggregate", "listCollections", "listIndexes", "listDatabases"},
    "restore": {"insert", "create", "drop", "createIndexes", "listCollections"},
    "clusterMonitor": {"dbStats", "listDatabases", "serverStatus"},
    "hostManager": {"rotateCertificates"},
}
FREE = {
    "hello",
    "ping",
    "buildInfo",
    "saslStart",
    "saslContinue",
    "logout",
    "endSessions",
    "connectionStatus",
}
# What any command may have beside its own.
COMMON = {
    "$db",
    "lsid",
    "$readPreference",
    "$clusterTime",
    "comment",
    "writeConcern",
    "maxTimeMS",
    "apiVersion",
}
COMMON |= {"apiStrict", "apiDeprecationErrors", "readConcern", "txnNumber"}
OPTIONS = {
    "createUser": {
        "pwd",
        "roles",
        "authenticationRestrictions",
        "mechanisms",
        "customData",
        "digestPassword",
    },
    "updateUser": {
        "pwd",
        "roles",
        "authenticationRestrictions",
        "mechanisms",
        "customData",
        "digestPassword",
    },
    "usersInfo": {
        *("showCredentials", "showPrivileges", "showAuthenticationRestrictions", "showCustomData", "filter"),
    },
    "dropUser": set(),
    "rotateCertificates": {"message"},
    "listDatabases": {"nameOnly", "filter", "authorizedDatabases"},
    "listCollections": {"nameOnly", "filter", "authorizedCollections", "cursor"},
    "listIndexes": {"cursor"},
    "dbStats": {"scale", "freeStorage"},
    "find": {"filter", "limit", "batchSize", "singleBatch", "skip", "sort", "projection"},
    "count": {"query"},
    "aggregate": {"pipeline", "cursor"},
    "insert": {"documents", "ordered", "bypassDocumentValidation"},
    "update": {"updates", "ordered"},
    "delete": {"deletes", "ordered"},
    "create": set(),
    "createIndexes": {"indexes", "commitQuorum"},
    "drop": set(),
    "dropDatabase": set(),
}
NAMES = {name.lower(): name for name in (*OPTIONS, *FREE)} | {"ismaster": "hello"}


class Caller(Documents):
    """One connection: where it comes from, and who it has shown to be."""

    def __init__(self, server: Server, address: str) -> None:
        self.server, self.store, self.address = server, server.store, ipaddress.ip_address(address)
        self.user: Doc | None = None
        self.talk: Conversation | None = None

    def answer(self, command: Doc) -> Doc:
        """Answer a command, or say why not."""
        try:
            return {**self._done(command), "ok": 1.0}
        except CommandError as error:
            return error.document

    def _done(self, command: Doc) -> Doc:
        given = next(iter(command))
        name = NAMES.get(given.lower(), "")
        if not name:
            raise CommandError(59, "CommandNotFound", f"no such command: '{given}'")
        self._allowed(name, command)
        with self.store.lock:
            method = re.sub("[A-Z]", lambda found: f"_{found.group().lower()}", name)
            told: Doc = getattr(self, f"_{method}")(command[given], command)
            if command.get("writeConcern", {}).get("j"):
                self.store.sync()
        return told

    def _allowed(self, name: str, command: Doc) -> None:
        if name in OPTIONS and (unknown := set(list(command)[1:]) - OPTIONS[name] - COMMON):
            field = f"{name}.{min(unknown)}"
            raise CommandError(40415, "IDLUnknownField", f"BSON field '{field}' is an unknown field.")
        if name in FREE:
            return
        if self.user is None:
            first = name == "createUser" and self.address.is_loopback and command["$db"] == "admin"
            if not (first and not self.server.users()):
                raise CommandError(13, "Unauthorized", f"Command {name} requires authentication")
            return
        database = command["$db"]
        # What a user is now counts, and not what it was when it came.
        for role in (self.server.users().get(self.user["user"]) or {"roles": []})["roles"]:
            if name in ANYWHERE.get(role["role"], set()) or (
                role["db"] == database and name in ROLES.get(role["role"], set())
            ):
                return
        if name == "listDatabases":
            return
        raise CommandError(13, "Unauthorized", f"not authorized on {database} to execute command {name}")

    def _hello(self, _value: object, command: Doc) -> Doc:
        legacy = next(iter(command)).lower() == "ismaster"
        told = {
            "ismaster" if legacy else "isWritablePrimary": True,
            "helloOk": True,
            "maxBsonObjectSize": 16 << 20,
            "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 100_000,
            "localTime": datetime.now(UTC),
            "logicalSessionTimeoutMinutes": 30,
            "connectionId": id(self) % 100_000,
            "minWireVersion": 0,
            "maxWireVersion": 25,
            "readOnly": False,
        }
        return told | ({"saslSupportedMechs": [MECHANISM]} if "saslSupportedMechs" in command else {})

    def _ping(self, _value: object, _command: Doc) -> Doc:
        return {}

    _end_sessions = _ping

    def _build_info(self, _value: object, _command: Doc) -> Doc:
        return {"version": VERSION, "versionArray": [8, 0, 0, 0], "modules": [], "gitVersion": "double"}

    def _connection_status(self, _value: object, _command: Doc) -> Doc:
        who = [{"user": self.user["user"], "db": "admin"}] if self.user else []
        return {"authInfo": {"authenticatedUsers": who, "authenticatedUserRoles": []}}

    def _logout(self, _value: object, _command: Doc) -> Doc:
        self.user = None
        return {}

    def _sasl_start(self, _value: object, command: Doc) -> Doc:
        if command["mechanism"] != MECHANISM or command["$db"] != "admin":
            raise CommandError(18, "AuthenticationFailed", "Authentication failed.")
        short = bool(command.get("options", {}).get("skipEmptyExchange"))
        self.talk = Conversation(bytes(command["payload"]), self._may_come, short=short)
        return {"conversationId": 1, "done": False, "payload": self.talk.reply.encode()}

    def _sasl_continue(self, _value: object, command: Doc) -> Doc:
        if self.talk is None:
            raise CommandError(17, "ProtocolError", "No SASL session state found")
        if self.talk.done:
            self.talk = None
            return {"conversationId": 1, "done": True, "payload": b""}
        try:
            payload = self.talk.last(bytes(command["payload"]))
        except (CommandError, ValueError) as error:
            self.server.say(f"Authentication failed: {self.talk.name} from {self.address}")
            self.talk = None
            raise CommandError(18, "AuthenticationFailed", "Authentication failed.") from error
        self.user, self.talk.done = self.talk.user, True
        return {"conversationId": 1, "done": self.talk.short, "payload": payload}

    def _may_come(self, name: str) -> Doc | None:
        user = self.server.users().get(name)
        for rule in (user or {}).get("authenticationRestrictions", []):
            sources = [
                ipaddress.ip_network(source) for source in rule.get("clientSource", ["0.0.0.0/0", "::/0"])
            ]
            if not any(self.address in source for source in sources):
                return None
        return user

    def _create_user(self, name: str, command: Doc) -> Doc:
        if name in self.server.users():
            raise CommandError(51003, "Location51003", f'User "{name}@admin" already exists')
        for field in ("pwd", "roles"):
            if field not in command:
                raise CommandError(9, "FailedToParse", f"createUser needs {field}")
        self._save({"_id": f"admin.{name}", "user": name, "db": "admin"}, command)
        return {}

    def _update_user(self, name: str, command: Doc) -> Doc:
        found = self.server.users().get(name)
        if found is None:
            raise CommandError(11, "UserNotFound", f"User {name}@admin not found")
        self._save(found, command)
        return {}

    def _save(self, user: Doc, command: Doc) -> None:
        if command["$db"] != "admin":
            raise CommandError(72, "InvalidOptions", "this double keeps users in admin alone")
        if command.get("mechanisms", [MECHANISM]) != [MECHANISM]:
            raise CommandError(2, "BadValue", "mechanism is not enabled")
        changed = dict(user)
        for role in command.get("roles", []):
            known = ROLES if isinstance(role, dict) and role["db"] != "admin" else {**ROLES, **ANYWHERE}
            if not isinstance(role, dict) or set(role) != {"role", "db"} or role["role"] not in known:
                raise CommandError(31, "RoleNotFound", f"Could not find role: {role}")
        for rule in command.get("authenticationRestrictions", []):
            if not set(rule) <= {"clientSource", "serverAddress"}:
                raise CommandError(72, "UnsupportedFormat", f"Unrecognized restriction {sorted(rule)}")
            try:
                rule["clientSource"] = [
                    str(ipaddress.ip_network(one)) for one in rule.get("clientSource", [])
                ]
            except ValueError as error:
                raise CommandError(9, "FailedToParse", str(error)) from error
        changed |= {key: command[key] for key in ("roles", "authenticationRestrictions") if key in command}
        if "pwd" in command:
            changed["credentials"] = credentials(command["pwd"])
        self.store.change(op="create", db="admin", c="system.users")
        self.store.change(op="put", db="admin", c="system.users", o=changed)
        self.store.sync()

    def _drop_user(self, name: str, _command: Doc) -> Doc:
        key = key_of({"_id": f"admin.{name}"})
        if key not in self.store.documents("admin", "system.users"):
            raise CommandError(11, "UserNotFound", f"User '{name}@admin' not found")
        self.store.change(op="remove", db="admin", c="system.users", key=key)
        return {}

    def _users_info(self, asked: Any, command: Doc) -> Doc:  # noqa: ANN401
        if not isinstance(asked, list):
            if command.get("showAuthenticationRestrictions"):
                raise CommandError(72, "InvalidOptions", "restrictions are shown of users that are named")
            asked = [{"user": name, "db": "admin"} for name in self.server.users()]
        told = []
        for name in [one["user"] for one in asked if one["db"] == "admin"]:
            if (found := self.server.users().get(name)) is not None:
                left_out = set() if command.get("showCredentials") else {"credentials"}
                if not command.get("showAuthenticationRestrictions"):
                    left_out.add("authenticationRestrictions")
                told.append({key: value for key, value in found.items() if key not in left_out})
        return {"users": told}

    def _rotate_certificates(self, _value: object, _command: Doc) -> Doc:
        self.server.load_certificate()
        return {}


class Server:
    """What all connections share."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def users(self) -> dict[str, Doc]:
        """Return the users by name."""
        with self.store.lock:
            return {one["user"]: one for one in self.store.documents("admin", "system.users").values()}

    def say(self, message: str) -> None:
        """Write a line to the log."""

    def load_certificate(self) -> None:
        """Take in the certificate that is there now."""
