"""Named locks with a lease: two commands never change the same workflow at once, wherever they run.

Whoever dies with a lock keeps others out until the lease ends. Whoever is slow keeps it by renewing; one who lost it
all the same (a machine that slept) is told so at the next step, before it touches what is somebody else's by then.

The lock that is named as a workflow is its own: who changes what is deployed or planned holds it. Checks and syncs of a
workflow have locks besides, so that a check may solve for minutes while the workflow is changed. Whoever takes several
takes them in this order: that of its checks, that of its syncs, its own.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from multi_x_serverless.cloud.ports import ABSENT, Attributes, Cloud, Condition, Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.errors import CloudError, ConflictError

LEASE_S = 900.0
"""Longer than a step between two renewals usually takes; whoever takes longer all the same is told at the next one."""

RENEWAL_SHARE = 0.1
"""Share of a lease after which it is renewed, so that a step begins with nearly all of it."""


def check_lock(workflow_id: str) -> str:
    """Name of the lock of a workflow's checks by `update_check_solver`."""
    return f"{workflow_id} (update_check_solver)"


def sync_lock(workflow_id: str) -> str:
    """Name of the lock of a workflow's syncs."""
    return f"{workflow_id} (data_sync)"


class Lease:
    """A lock that is held; see `lock`. May be used by several threads."""

    def __init__(self, cloud: Cloud, name: str, owner: str, version: int, ends_at: float, length_s: float) -> None:
        self._cloud = cloud
        self._key = Key(name)
        self._owner = owner
        self._version = version
        self._ends_at = ends_at
        self._length_s = length_s
        self._lock = threading.Lock()

    def keep(self) -> None:
        """Make sure that the lock is still held, and renew it once some of its time is over.

        Raises:
            ConflictError: It was lost: its time ended, and somebody else may be at work.
        """
        with self._lock:
            now = self._cloud.now()
            if now < self._ends_at - self._length_s * (1 - RENEWAL_SHARE):
                return
            renewed = self._put(now + self._length_s)
            if renewed is None:
                raise ConflictError(
                    f"this command took so long that its lock on '{self._key.partition}' ended and another command has "
                    "taken it over."
                )
            self._version, self._ends_at = renewed, now + self._length_s

    def give_back(self) -> None:
        """Let others in; a lock that was lost is left to who has it."""
        with self._lock:
            self._cloud.key_value.delete(
                self._cloud.system_region, physical_name("locks"), self._key, condition=Condition(self._version)
            )

    def _put(self, ends_at: float) -> int | None:
        attributes: Attributes = {"owner": self._owner, "lease_ends_at": ends_at}
        return self._cloud.key_value.put(
            self._cloud.system_region,
            physical_name("locks"),
            self._key,
            attributes,
            condition=Condition(self._version),
        )


@contextmanager
def lock(cloud: Cloud, name: str, *, lease_s: float = LEASE_S) -> Iterator[Lease]:
    """Hold a named lock.

    Raises:
        ConflictError: Somebody else holds it and the lease has not ended.
    """
    table = physical_name("locks")
    owner = uuid.uuid4().hex
    key = Key(name)
    now = cloud.now()
    item = cloud.key_value.get(cloud.system_region, table, key)
    if item is not None:
        ends = item.attributes["lease_ends_at"]
        if isinstance(ends, int | float) and ends > now:
            raise ConflictError(
                f"another command is working on '{name}'; its lease ends in {ends - now:.0f} s at the latest."
            )
    acquired = cloud.key_value.put(
        cloud.system_region,
        table,
        key,
        {"owner": owner, "lease_ends_at": now + lease_s},
        condition=ABSENT if item is None else Condition(item.version),
    )
    if acquired is None:
        raise ConflictError(f"another command has just started to work on '{name}'; try again.")
    lease = Lease(cloud, name, owner, acquired, now + lease_s, lease_s)
    try:
        yield lease
    finally:
        # A lock that cannot be given back ends with its lease; what was done under it is done.
        with suppress(CloudError):
            lease.give_back()


@dataclass(frozen=True)
class HeldLock:
    """A lock whose lease has not ended: `remaining_s` is left of it."""

    name: str
    remaining_s: float


def held_locks(cloud: Cloud) -> tuple[HeldLock, ...]:
    """All locks that are held, by name."""
    now = cloud.now()
    ends = {
        item.key.partition: item.attributes.get("lease_ends_at")
        for item in cloud.key_value.scan(cloud.system_region, physical_name("locks"))
    }
    return tuple(HeldLock(name, end - now) for name, end in ends.items() if isinstance(end, int | float) and end > now)


def break_locks(cloud: Cloud) -> None:
    """Drop all locks, for a caller who knows that nobody can hold one."""
    table = physical_name("locks")
    for item in list(cloud.key_value.scan(cloud.system_region, table)):
        cloud.key_value.delete(cloud.system_region, table, item.key)
