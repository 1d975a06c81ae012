"""Where a run goes: chosen once, by the first entry function that its trigger reaches.

The plan replica of the function's own region decides; when there is none, it cannot be read, it has expired or was
made for another deployment, and for the home share of all runs, the run goes home. Otherwise the placement of the
current UTC hour holds.

In a workflow with joins, or with functions whose delivery is exactly once, the choice is written down (`claims`,
"placement") before anything follows from it, because joins and claims lie in the region the placement names: a trigger
that is delivered twice, or again after a crash, must not send the two halves of a run to two joins. In others nothing
depends on it and the write is saved.

The choice may change once: to home, by the delivery that made it, when the planned entry region has certainly not taken
the trigger. Another delivery that finds a choice therefore confirms it before it acts on it, by a write of the same
under the next version: then the change fails, or the confirmation does and home is found. Home itself never changes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass

from multi_x_serverless.sdk.backend import ABSENT, Attributes, Backend
from multi_x_serverless.sdk.envelope import Placement, PlacementKey
from multi_x_serverless.sdk.errors import BackendError, DamagedStateError
from multi_x_serverless.sdk.manifest import Manifest
from multi_x_serverless.sdk.plan_replica import PlanReplica, PlanReplicaError, decode_placement, encode_placement
from multi_x_serverless.sdk.tables import (
    CLAIMS,
    ITEM_LIFETIME_S,
    PLAN_DOCUMENT,
    PLAN_REPLICAS,
    placement_sort,
    run_partition,
)

REPLICA_CACHE_S = 60.0
"""How long a container uses a replica, or the knowledge that there is none, before it reads again."""

FAILURE_CACHE_S = 5.0
"""How long a container that could not read its replica goes home without trying again."""

PLAN = "plan"
HOME_SHARE = "home_share"
EXPIRED = "expired"
NO_PLAN = "no_plan"
UNREADABLE_PLAN = "unreadable_plan"
OTHER_MANIFEST = "other_manifest"
REGION_UNAVAILABLE = "region_unavailable"


def random_fraction() -> float:
    """A number in [0, 1), from the operating system: containers restored from one snapshot differ."""
    return int.from_bytes(os.urandom(7), "big") / (1 << 56)


def utc_hour(now: float) -> int:
    """Hour of the day, 0-23 UTC, of a time in seconds since the epoch."""
    return math.floor(now / 3600.0) % 24


@dataclass(frozen=True)
class Choice:
    """The placement of a run.

    Attributes:
        placement: Where its nodes go, with the reason.
        version: Version of the item that records it; `None` if it is not recorded or cannot change any more.
        is_new: Whether this delivery made the choice; otherwise an earlier one did and may have acted on it.
    """

    placement: Placement
    version: int | None
    is_new: bool


class Router:
    """Chooses placements for one function in one region; keeps the replica between invocations of a container."""

    def __init__(
        self,
        manifest: Manifest,
        region: str,
        backend: Backend,
        *,
        clock: Callable[[], float],
        uniform: Callable[[], float] = random_fraction,
    ) -> None:
        self._manifest = manifest
        self._region = region
        self._backend = backend
        self._clock = clock
        self._uniform = uniform
        self._replica: PlanReplica | None = None
        self._replica_problem = NO_PLAN
        self._read_again_at = -math.inf
        self._must_record = any(node.sync for node in manifest.nodes) or any(
            function.delivery == "exactly_once" for function in manifest.functions
        )

    def choose(self, run_id: str) -> Choice:
        """The placement of a run: the recorded one if an earlier delivery chose, else a new one.

        Raises:
            BackendError: The choice could not be recorded; nothing follows from it yet.
        """
        placement = self._placement_now()
        if not self._must_record:
            return Choice(placement, None, is_new=True)
        version = self._record(run_id, placement, ABSENT)
        if version is not None:
            return Choice(placement, version, is_new=True)
        return self._recorded(run_id)

    def send_home(self, choice: Choice, run_id: str) -> Choice:
        """The run goes home instead, because the planned entry region is certain not to have taken it.

        Only the delivery that made the choice may change it; an earlier one may have handed the trigger on.
        """
        if not choice.is_new:
            return choice
        home = self._home(choice.placement.plan_version, REGION_UNAVAILABLE)
        if choice.version is None:
            return Choice(home, None, is_new=True)
        version = self._record(run_id, home, choice.version)
        return self._recorded(run_id) if version is None else Choice(home, version, is_new=True)

    def _placement_now(self) -> Placement:
        now = self._clock()
        replica = self._current_replica(now)
        if replica is None:
            return self._home(0, self._replica_problem)
        if replica.manifest_id != self._manifest.id:
            return self._home(replica.version, OTHER_MANIFEST)
        if now >= replica.expires_at:
            return self._home(replica.version, EXPIRED)
        if self._uniform() < replica.home_share:
            return self._home(replica.version, HOME_SHARE)
        hour, regions = replica.placement_at(utc_hour(now))
        try:
            indices = tuple(self._manifest.regions.index(replica.regions[index]) for index in regions)
        except ValueError:
            return self._home(replica.version, UNREADABLE_PLAN)
        return Placement(replica.version, hour, indices, PLAN)

    def _home(self, plan_version: int, why: str) -> Placement:
        home = self._manifest.regions.index(self._manifest.home)
        return Placement(plan_version, "home", (home,) * len(self._manifest.nodes), why)

    def _current_replica(self, now: float) -> PlanReplica | None:
        if now < self._read_again_at:
            return self._replica
        self._replica = None
        try:
            item = self._backend.get(self._region, PLAN_REPLICAS, self._manifest.workflow_id, "")
            self._read_again_at = now + REPLICA_CACHE_S
            if item is None:
                self._replica_problem = NO_PLAN
            else:
                self._replica = _replica_of(item.attributes, len(self._manifest.nodes))
        except (BackendError, PlanReplicaError):
            # Not silent: the reason stands in the run's first record.
            self._replica_problem = UNREADABLE_PLAN
            self._read_again_at = now + FAILURE_CACHE_S
        return self._replica

    def _record(self, run_id: str, placement: Placement, condition: int) -> int | None:
        return self._backend.put(
            self._region,
            CLAIMS,
            run_partition(self._manifest.workflow_id, run_id),
            placement_sort(),
            {
                "plan": placement.plan_version,
                "key": str(placement.key),
                "place": encode_placement(placement.regions),
                "why": placement.why,
            },
            condition=condition,
            expires_at=self._clock() + ITEM_LIFETIME_S,
        )

    def _recorded(self, run_id: str) -> Choice:
        """The choice of another delivery, confirmed: it does not change any more."""
        partition = run_partition(self._manifest.workflow_id, run_id)
        while True:  # every round but the last was somebody else's write, and each delivery writes twice at most
            item = self._backend.get(self._region, CLAIMS, partition, placement_sort())
            if item is None:
                raise DamagedStateError(f"the placement of run {run_id} was recorded and is gone")
            placement = _placement_of(item.attributes, self._manifest)
            if placement.key == "home" or self._record(run_id, placement, item.version) is not None:
                return Choice(placement, None, is_new=False)


def _replica_of(attributes: Attributes, nodes: int) -> PlanReplica:
    document = attributes.get(PLAN_DOCUMENT)
    if not isinstance(document, str | bytes):
        raise PlanReplicaError("the plan replica has no document")
    return PlanReplica.from_json(document, nodes)


def _placement_of(attributes: Attributes, manifest: Manifest) -> Placement:
    try:
        key = str(attributes["key"])
        placement_key: PlacementKey = "home" if key == "home" else int(key)
        regions = decode_placement(str(attributes["place"]), len(manifest.nodes), len(manifest.regions))
        return Placement(int(attributes["plan"]), placement_key, regions, str(attributes["why"]))
    except (KeyError, ValueError) as error:
        raise DamagedStateError(f"the recorded placement of a run is damaged ({error!r})") from error
