"""Milvus' REST API v2 over gRPC, as far as the app, the role and backups ask it.

https://milvus.io/api-reference/restful/v2.6.x/About.md has paths and bodies. A call is made as the caller's
own user: who is let in, and what he may do, is the server's to say. It answers 200 whatever happened, as the
server does, but to those that it does not know (401) and what they may not do (403).
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any, ClassVar

import grpc
from common import Handler, Json, RefusedError
from grpc_gen import common_pb2, milvus_pb2, schema_pb2
from grpc_gen.milvus_pb2_grpc import MilvusServiceStub

SECONDS = 60
PREFIX = "/v2/vectordb/"
TYPES = {"Int64": schema_pb2.Int64, "VarChar": schema_pb2.VarChar, "FloatVector": schema_pb2.FloatVector}
LEVELS = {"Strong": 0, "Session": 1, "Bounded": 2, "Eventually": 3}
_MISSING = 1802


class Rest(Handler):
    """The API; every path is a POST with a body."""

    stub: ClassVar[Any] = None

    @classmethod
    def connect(cls, address: str) -> None:
        """Say where the server is."""
        options = [("grpc.max_receive_message_length", 256 * 2**20)]
        cls.stub = MilvusServiceStub(grpc.insecure_channel(address, options))

    def find(self, method: str, path: str) -> Callable[[Handler, Json], object] | None:
        """Return who answers a path."""
        answer = (
            CALLS.get(path.removeprefix(PREFIX)) if method == "POST" and path.startswith(PREFIX) else None
        )
        return None if answer is None else lambda _, body: self.told(answer, body)

    def told(self, answer: Callable[[Rest, Json], object], body: Json) -> Json:
        """Return an answer in the API's form."""
        try:
            return {"code": 0, "data": answer(self, body)}
        except KeyError as error:
            return {"code": _MISSING, "message": f"missing required parameters, error: {error}"}

    def call(self, name: str, request: object) -> Any:  # noqa: ANN401 - messages
        """Ask the server as the caller's user.

        Raises:
            RefusedError: It refuses.
        """
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        user = [("authorization", base64.b64encode(token.encode()).decode())]
        try:
            answer = getattr(self.stub, name)(request, metadata=user, timeout=SECONDS)
        except grpc.RpcError as error:
            status = {grpc.StatusCode.UNAUTHENTICATED: 401, grpc.StatusCode.PERMISSION_DENIED: 403}
            code = {401: 1800, 403: 65535}.get(status.get(error.code(), 200), 1)
            message = f"{error.code().name}: {error.details()}"
            raise RefusedError(status.get(error.code(), 200), {"code": code, "message": message}) from error
        said = getattr(answer, "status", answer)
        if said.error_code or said.code:
            message = {"code": said.code or 65535, "message": said.reason}
            raise RefusedError(403 if "permission deny" in said.reason else 200, message)
        return answer


def pairs(values: Json) -> list[Any]:
    """Return the message's pairs of names and texts."""
    return [common_pb2.KeyValuePair(key=key, value=str(value)) for key, value in values.items()]


def column(name: str, kind: int, values: list[Any]) -> Any:  # noqa: ANN401 - a message
    """Return a field of rows."""
    field = schema_pb2.FieldData(field_name=name, type=kind)
    if kind == schema_pb2.FloatVector:
        field.vectors.dim = len(values[0])
        field.vectors.float_vector.data.extend(number for vector in values for number in vector)
    elif kind == schema_pb2.Int64:
        field.scalars.long_data.data.extend(values)
    else:
        field.scalars.string_data.data.extend(values)
    return field


def rows(fields: Any) -> list[Json]:  # noqa: ANN401 - messages
    """Return rows of scalars from columns."""
    columns = {
        field.field_name: list(field.scalars.long_data.data or field.scalars.string_data.data)
        for field in fields
        if field.HasField("scalars")
    }
    count = max((len(values) for values in columns.values()), default=0)
    return [{name: values[number] for name, values in columns.items()} for number in range(count)]


def _described(rest: Rest, name: str) -> Any:  # noqa: ANN401 - a message
    return rest.call("DescribeCollection", milvus_pb2.DescribeCollectionRequest(collection_name=name))


def _has(rest: Rest, body: Json) -> Json:
    request = milvus_pb2.HasCollectionRequest(collection_name=body["collectionName"])
    return {"has": rest.call("HasCollection", request).value}


def _describe(rest: Rest, body: Json) -> Json:
    found = _described(rest, body["collectionName"])
    level = next(name for name, number in LEVELS.items() if number == found.consistency_level)
    return {"collectionName": found.schema.name, "consistencyLevel": level}


def _create(rest: Rest, body: Json) -> Json:
    name = body["collectionName"]
    fields = [
        schema_pb2.FieldSchema(
            name=given["fieldName"],
            data_type=TYPES[given["dataType"]],
            is_primary_key=bool(given.get("isPrimary")),
            type_params=pairs(given.get("elementTypeParams", {})),
        )
        for given in body["schema"]["fields"]
    ]
    schema = schema_pb2.CollectionSchema(name=name, fields=fields)
    level = LEVELS[body.get("params", {}).get("consistencyLevel", "Bounded")]
    request = milvus_pb2.CreateCollectionRequest(
        collection_name=name, schema=schema.SerializeToString(), shards_num=1, consistency_level=level
    )
    rest.call("CreateCollection", request)
    for given in body.get("indexParams", []):
        wanted = {**given.get("params", {}), "metric_type": given["metricType"], "params": "{}"}
        index = milvus_pb2.CreateIndexRequest(
            collection_name=name,
            field_name=given["fieldName"],
            index_name=given["indexName"],
            extra_params=pairs(wanted),
        )
        rest.call("CreateIndex", index)
        rest.call("LoadCollection", milvus_pb2.LoadCollectionRequest(collection_name=name, replica_number=1))
    return {}


def _load_state(rest: Rest, body: Json) -> Json:
    request = milvus_pb2.GetLoadStateRequest(collection_name=body["collectionName"])
    state = rest.call("GetLoadState", request).state
    return {"loadState": common_pb2.LoadState.Name(state)}


def _upsert(rest: Rest, body: Json) -> Json:
    name, data = body["collectionName"], body["data"]
    columns = [
        column(field.name, field.data_type, [row[field.name] for row in data])
        for field in _described(rest, name).schema.fields
    ]
    request = milvus_pb2.UpsertRequest(collection_name=name, fields_data=columns, num_rows=len(data))
    return {"upsertCount": rest.call("Upsert", request).upsert_cnt}


def _search(rest: Rest, body: Json) -> list[Json]:
    values = [struct.pack(f"<{len(vector)}f", *vector) for vector in body["data"]]
    kind = common_pb2.PlaceholderType.FloatVector
    asked = common_pb2.PlaceholderGroup(
        placeholders=[common_pb2.PlaceholderValue(tag="$0", type=kind, values=values)]
    )
    wanted = {"anns_field": body["annsField"], "topk": body.get("limit", 100), "params": "{}"}
    request = milvus_pb2.SearchRequest(
        collection_name=body["collectionName"],
        dsl=body.get("filter", ""),
        dsl_type=common_pb2.DslType.BoolExprV1,
        placeholder_group=asked.SerializeToString(),
        output_fields=body.get("outputFields", []),
        search_params=pairs({**wanted, "round_decimal": -1}),
        use_default_consistency=True,
        nq=len(values),
    )
    found = rest.call("Search", request).results
    return [
        {"id": number, "distance": score}
        for number, score in zip(found.ids.int_id.data, found.scores, strict=True)
    ]


def _query(rest: Rest, body: Json) -> list[Json]:
    level = body.get("consistencyLevel")
    request = milvus_pb2.QueryRequest(
        collection_name=body["collectionName"],
        expr=body.get("filter", ""),
        output_fields=body.get("outputFields", []),
        query_params=pairs({"limit": body["limit"]}) if "limit" in body else [],
        use_default_consistency=level is None,
        consistency_level=LEVELS[level or "Strong"],
    )
    return rows(rest.call("Query", request).fields_data)


def _delete(rest: Rest, body: Json) -> Json:
    request = milvus_pb2.DeleteRequest(collection_name=body["collectionName"], expr=body["filter"])
    rest.call("Delete", request)
    return {}


def _password(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _role(name: str) -> Any:  # noqa: ANN401 - a message
    return milvus_pb2.RoleEntity(name=name)


def _user_of(rest: Rest, body: Json) -> list[str]:
    user = milvus_pb2.UserEntity(name=body["userName"])
    found = rest.call("SelectUser", milvus_pb2.SelectUserRequest(user=user, include_role_info=True))
    return [role.name for one in found.results for role in one.roles]


def _grants(rest: Rest, body: Json) -> list[Json]:
    wanted = milvus_pb2.GrantEntity(role=_role(body["roleName"]))
    found = rest.call("SelectGrant", milvus_pb2.SelectGrantRequest(entity=wanted))
    return [
        {
            "dbName": one.db_name,
            "objectType": one.object.name,
            "objectName": one.object_name,
            "privilege": one.grantor.privilege.name,
        }
        for one in found.entities
    ]


def _privilege(kind: str) -> Callable[[Rest, Json], Json]:
    def changed(rest: Rest, body: Json) -> Json:
        entity = milvus_pb2.GrantEntity(
            role=_role(body["roleName"]),
            object=milvus_pb2.ObjectEntity(name=body["objectType"]),
            object_name=body["objectName"],
            grantor=milvus_pb2.GrantorEntity(privilege=milvus_pb2.PrivilegeEntity(name=body["privilege"])),
        )
        what = milvus_pb2.OperatePrivilegeType.Value(kind)
        rest.call("OperatePrivilege", milvus_pb2.OperatePrivilegeRequest(entity=entity, type=what))
        return {}

    return changed


def _done(name: str, request: Callable[[Json], object]) -> Callable[[Rest, Json], Json]:
    def asked(rest: Rest, body: Json) -> Json:
        rest.call(name, request(body))
        return {}

    return asked


CALLS: dict[str, Callable[[Rest, Json], object]] = {
    "collections/list": lambda rest, _: list(
        rest.call("ShowCollections", milvus_pb2.ShowCollectionsRequest()).collection_names
    ),
    "collections/has": _has,
    "collections/describe": _describe,
    "collections/create": _create,
    "collections/get_load_state": _load_state,
    "collections/load": _done(
        "LoadCollection",
        lambda body: milvus_pb2.LoadCollectionRequest(
            collection_name=body["collectionName"], replica_number=1
        ),
    ),
    "collections/drop": _done(
        "DropCollection",
        lambda body: milvus_pb2.DropCollectionRequest(collection_name=body["collectionName"]),
    ),
    "entities/upsert": _upsert,
    "entities/search": _search,
    "entities/query": _query,
    "entities/delete": _delete,
    "users/list": lambda rest, _: list(
        rest.call("ListCredUsers", milvus_pb2.ListCredUsersRequest()).usernames
    ),
    "users/describe": _user_of,
    "users/create": _done(
        "CreateCredential",
        lambda body: milvus_pb2.CreateCredentialRequest(
            username=body["userName"], password=_password(body["password"])
        ),
    ),
    "users/update_password": _done(
        "UpdateCredential",
        lambda body: milvus_pb2.UpdateCredentialRequest(
            username=body["userName"],
            oldPassword=_password(body["password"]),
            newPassword=_password(body["newPassword"]),
        ),
    ),
    "users/drop": _done(
        "DeleteCredential", lambda body: milvus_pb2.DeleteCredentialRequest(username=body["userName"])
    ),
    "users/grant_role": _done(
        "OperateUserRole",
        lambda body: milvus_pb2.OperateUserRoleRequest(
            username=body["userName"],
            role_name=body["roleName"],
            type=milvus_pb2.OperateUserRoleType.Value("AddUserToRole"),
        ),
    ),
    "roles/list": lambda rest, _: [
        one.role.name for one in rest.call("SelectRole", milvus_pb2.SelectRoleRequest()).results
    ],
    "roles/create": _done(
        "CreateRole", lambda body: milvus_pb2.CreateRoleRequest(entity=_role(body["roleName"]))
    ),
    "roles/describe": _grants,
    "roles/grant_privilege": _privilege("Grant"),
    "roles/revoke_privilege": _privilege("Revoke"),
}
