"""The journal: which resources an operation under way may have made.

It is written before the first of them is made and cleared after the record of the workflow lists them, so
that whatever a crash leaves behind is known to the next command.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multi_x_serverless.cloud.documents import DocumentTable
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.model import documents
from multi_x_serverless.model.workflow import Resource, version_for

if TYPE_CHECKING:
    from collections.abc import Collection

JOURNAL_SCHEMA = "multi-x-serverless/journal"
JOURNAL_VERSION = 2
"""Newest version that is read; see `multi_x_serverless.model.workflow.version_for` for what is written."""

_SORT = "resources"


@dataclass(frozen=True)
class _Entry:
    resources: tuple[Resource, ...]

    def to_document(self) -> bytes:
        members = {"resources": [resource.to_members() for resource in self.resources]}
        return documents.write(JOURNAL_SCHEMA, version_for(self.resources), members)

    @classmethod
    def from_document(cls, text: bytes | str) -> _Entry:
        fields = documents.read(text, JOURNAL_SCHEMA, JOURNAL_VERSION)
        return cls(tuple(Resource.from_fields(entry) for entry in fields.sections("resources")))


class Journal:
    """The journal of one workflow; whoever writes it holds the workflow's lock."""

    def __init__(self, cloud: Cloud, workflow_id: str) -> None:
        self._key = Key(workflow_id, _SORT)
        self._table = DocumentTable(
            cloud.key_value,
            cloud.system_region,
            physical_name("journal"),
            _Entry.to_document,
            _Entry.from_document,
        )

    def read(self) -> tuple[Resource, ...]:
        """What an operation that did not reach its end may have made or changed."""
        stored = self._table.get(self._key)
        return () if stored is None else stored.value.resources

    def add(self, resources: Collection[Resource]) -> None:
        """Note resources that are about to be made or changed, beside those noted before."""
        noted = {resource.key: resource for resource in (*self.read(), *resources)}
        if noted:
            self._table.put(self._key, _Entry(tuple(noted.values())))

    def clear(self) -> None:
        """Everything noted is either recorded or gone."""
        self._table.delete(self._key)


def open_journals(cloud: Cloud) -> tuple[str, ...]:
    """Ids of the workflows of which an operation is under way or did not reach its end."""
    items = cloud.key_value.scan(cloud.system_region, physical_name("journal"))
    return tuple(item.key.partition for item in items if item.key.sort == _SORT)
