"""Account and roles (the identity port). Roles are recorded, policies are not enforced."""

from __future__ import annotations

import json

from multi_x_serverless.cloud.local.database import Database
from multi_x_serverless.errors import CloudError

ACCOUNT_ID = "000000000000"
"""Account of every embedded cloud; no AWS account has this number."""


def resource_name(service: str, region: str, resource: str) -> str:
    """Name of a resource in the form of an ARN."""
    return f"arn:aws:{service}:{region}:{ACCOUNT_ID}:{resource}"


class LocalIdentity:
    """See `multi_x_serverless.cloud.ports.Identity`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def account_id(self) -> str:
        """Who is calling."""
        return ACCOUNT_ID

    def create_role(self, name: str, policy: str) -> str:
        """Make or update a role; its policy must at least be one."""
        try:
            document = json.loads(policy)
        except ValueError as error:
            raise CloudError(f"the policy of role '{name}' is not JSON: {error}.", operation="create_role") from None
        if not isinstance(document, dict) or "Statement" not in document:
            raise CloudError(f"the policy of role '{name}' has no Statement.", operation="create_role")
        if not name:
            raise CloudError("the name of a role must not be empty.", operation="create_role")
        with self._database.transaction("create_role") as connection:
            connection.execute("INSERT OR REPLACE INTO role (name, policy) VALUES (?, ?)", (name, policy))
        return role_id(name)

    def delete_role(self, name: str) -> None:
        """Delete a role."""
        with self._database.transaction("delete_role") as connection:
            connection.execute("DELETE FROM role WHERE name = ?", (name,))

    def list_roles(self, prefix: str) -> tuple[str, ...]:
        """Names of roles that start with `prefix`, sorted."""
        rows = self._database.rows(
            "SELECT name FROM role WHERE substr(name, 1, length(?)) = ? ORDER BY name", (prefix, prefix)
        )
        return tuple(row[0] for row in rows)

    def has_role(self, name: str) -> bool:
        """Whether there is a role of exactly this name."""
        return bool(self._database.rows("SELECT name FROM role WHERE name = ?", (name,)))

    def knows(self, identifier: str) -> bool:
        """Whether there is a role of this id."""
        return any(role_id(row[0]) == identifier for row in self._database.rows("SELECT name FROM role"))


def role_id(name: str) -> str:
    """Id of a role."""
    return resource_name("iam", "", f"role/{name}")
