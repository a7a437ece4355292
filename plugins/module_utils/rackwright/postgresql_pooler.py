"""What a connection pooler needs in the cluster: its role, and a function that tells it verifiers."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.rackwright.postgresql_plan import Change

ROLE = "pgbouncer"
DATABASE = "postgres"
STATE = f"""
SELECT json_build_object(
  'role', EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}' AND rolcanlogin),
  'function', to_regprocedure('{ROLE}.get_auth(text)') IS NOT NULL);
"""  # noqa: S608 - nothing of it comes from outside
# Runs as its owner, the superuser, and tells the pooler alone; of superusers it tells nothing.
_FUNCTION = f"""
CREATE SCHEMA IF NOT EXISTS {ROLE};
CREATE OR REPLACE FUNCTION {ROLE}.get_auth(asked text) RETURNS TABLE (usename name, passwd text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT rolname, rolpassword FROM pg_authid
  WHERE rolname = asked AND rolcanlogin AND NOT rolsuper
    AND (rolvaliduntil IS NULL OR rolvaliduntil > now()) $$;
REVOKE ALL ON FUNCTION {ROLE}.get_auth(text) FROM PUBLIC;
GRANT USAGE ON SCHEMA {ROLE} TO {ROLE};
GRANT EXECUTE ON FUNCTION {ROLE}.get_auth(text) TO {ROLE};
"""  # noqa: S608 - as above


def plan_pooler(present: dict[str, Any]) -> list[Change]:
    """Return what is missing; present: the answer to STATE."""
    changes = []
    if not present["role"]:
        # No password: it comes by the local socket, as the system's user that the server knows it by.
        changes.append(Change("role", ROLE, ("created",), (f"CREATE ROLE {ROLE} LOGIN;",), DATABASE))
    if not present["function"]:
        changes.append(Change("function", f"{ROLE}.get_auth", ("created",), (_FUNCTION,), DATABASE))
    return changes
