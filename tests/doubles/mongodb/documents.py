"""A double of MongoDB's commands on databases, collections and documents.

Conditions are equality of fields, and no others; all that is found comes in one batch.
"""

from __future__ import annotations

import bson
from bson import ObjectId
from kept import Store, key_of
from wire import CommandError, Doc

# Roles whose holders see all databases.
SEES_ALL = {"userAdminAnyDatabase", "backup", "clusterMonitor"}


class Documents:
    """What one caller may have done with documents."""

    store: Store
    user: Doc | None

    def _list_databases(self, _value: object, command: Doc) -> Doc:
        names = sorted(self.store.databases)
        roles = (self.user or {}).get("roles", [])
        if not SEES_ALL.intersection(role["role"] for role in roles):
            names = [name for name in names if name in {role["db"] for role in roles}]
        return {"databases": [{"name": name} for name in names], "nameOnly": bool(command.get("nameOnly"))}

    def _list_collections(self, _value: object, command: Doc) -> Doc:
        names = sorted(self.store.databases.get(command["$db"], {}))
        wanted = command.get("filter", {}).get("name")
        told = [
            {"name": name, "type": "collection", "options": {}, "info": {"readOnly": False}}
            for name in names
            if wanted in (None, name)
        ]
        return _cursor(command["$db"], "$cmd.listCollections", told)

    def _list_indexes(self, name: str, command: Doc) -> Doc:
        return _cursor(command["$db"], name, self.store.indexes.get((command["$db"], name), []))

    def _db_stats(self, _value: object, command: Doc) -> Doc:
        held = self.store.databases.get(command["$db"], {})
        documents = [document for collection in held.values() for document in collection.values()]
        size = float(sum(len(bson.encode(document)) for document in documents))
        return {"db": command["$db"], "collections": len(held), "objects": len(documents), "dataSize": size}

    def _find(self, name: str, command: Doc) -> Doc:
        for option in ("sort", "projection"):
            if command.get(option):
                raise CommandError(2, "BadValue", f"this double knows no {option}")
        found = self._matching(command["$db"], name, command.get("filter", {}))
        limit = abs(int(command.get("limit", 0)))
        return _cursor(command["$db"], name, found[:limit] if limit else found)

    def _count(self, name: str, command: Doc) -> Doc:
        return {"n": len(self._matching(command["$db"], name, command.get("query", {})))}

    def _aggregate(self, name: str, command: Doc) -> Doc:
        match, *rest = command["pipeline"] or [{}]
        if set(match) != {"$match"} or rest not in ([], [{"$group": {"_id": 1, "n": {"$sum": 1}}}]):
            raise CommandError(2, "BadValue", "this double counts, and aggregates nothing else")
        found = self._matching(command["$db"], name, match["$match"])
        return _cursor(
            command["$db"], name, ([{"_id": 1, "n": len(found)}] if found else []) if rest else found
        )

    def _matching(self, database: str, name: str, wanted: Doc) -> list[Doc]:
        for field, value in wanted.items():
            if field.startswith("$") or (isinstance(value, dict) and any(key[:1] == "$" for key in value)):
                raise CommandError(2, "BadValue", f"this double compares fields, and knows no {wanted}")
        documents = self.store.documents(database, name).values()
        return [one for one in documents if all(one.get(field) == value for field, value in wanted.items())]

    def _insert(self, name: str, command: Doc) -> Doc:
        database = command["$db"]
        self.store.change(op="create", db=database, c=name)
        errors = []
        for index, document in enumerate(command["documents"]):
            whole = {"_id": ObjectId(), **document}
            if key_of(whole) in self.store.documents(database, name):
                text = f"E11000 duplicate key error collection: {database}.{name}"
                errors.append({"index": index, "code": 11000, "errmsg": text})
                break
            self.store.change(op="put", db=database, c=name, o=whole)
        told: Doc = {"n": index + 1 - len(errors)}
        return told | ({"writeErrors": errors} if errors else {})

    def _update(self, name: str, command: Doc) -> Doc:
        database, n = command["$db"], 0
        for update in command["updates"]:
            if set(update["u"]) != {"$set"}:
                raise CommandError(2, "BadValue", "this double knows no change but $set")
            found = self._matching(database, name, update["q"])
            for document in found if update.get("multi") else found[:1]:
                self.store.change(op="put", db=database, c=name, o={**document, **update["u"]["$set"]})
                n += 1
        return {"n": n, "nModified": n}

    def _delete(self, name: str, command: Doc) -> Doc:
        database, n = command["$db"], 0
        for delete in command["deletes"]:
            found = self._matching(database, name, delete["q"])
            for document in found if not delete["limit"] else found[:1]:
                self.store.change(op="remove", db=database, c=name, key=key_of(document))
                n += 1
        return {"n": n}

    def _create(self, name: str, command: Doc) -> Doc:
        if name in self.store.databases.get(command["$db"], {}):
            raise CommandError(48, "NamespaceExists", f"Collection {command['$db']}.{name} already exists.")
        self.store.change(op="create", db=command["$db"], c=name)
        return {}

    def _create_indexes(self, name: str, command: Doc) -> Doc:
        self.store.change(op="create", db=command["$db"], c=name)
        there = {one["name"] for one in self.store.indexes[command["$db"], name]}
        for index in command["indexes"]:
            if index["name"] not in there:
                self.store.change(op="index", db=command["$db"], c=name, index={"v": 2, **index})
        return {}

    def _drop(self, name: str, command: Doc) -> Doc:
        if name not in self.store.databases.get(command["$db"], {}):
            raise CommandError(26, "NamespaceNotFound", "ns not found")
        self.store.change(op="drop", db=command["$db"], c=name)
        return {}

    def _drop_database(self, _value: object, command: Doc) -> Doc:
        for name in list(self.store.databases.get(command["$db"], {})):
            self.store.change(op="drop", db=command["$db"], c=name)
        return {"dropped": command["$db"]}


def _cursor(database: str, name: str, documents: list[Doc]) -> Doc:
    """Return all of it in one batch: tests hold no more than fits."""
    return {"cursor": {"id": bson.Int64(0), "ns": f"{database}.{name}", "firstBatch": documents}}
