"""The plan as functions read it: a small document per region, next to the entry function.

Format, version 1 (regions are indices into ``regions``; a placement lists one region per node in manifest order,
one base-64 digit each, so a run's placement costs one byte a node in every message)::

    {"v": 1, "version": 7, "manifest": "<manifest id>", "expires_at": 1790000000.0, "home_share": 0.1,
     "regions": ["us-east-1", ...], "hours": [[0, "0011"], [6, "0000"]]}
"""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from dataclasses import dataclass

from multi_x_serverless.sdk.errors import WorkflowError

PLAN_REPLICA_VERSION = 1

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase + "-_"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}

MAXIMUM_REGIONS = len(_DIGITS)


class PlanReplicaError(WorkflowError, ValueError):
    """A plan replica cannot be used; the run goes home."""

    code = "unusable-plan-replica"
    remedy = "None is needed for the run: it goes home. 'update_check_deployment' or 'deploy' writes the replica anew."


def encode_placement(region_indices: Sequence[int]) -> str:
    """One base-64 digit per node.

    Raises:
        PlanReplicaError: An index is outside 0-63.
    """
    try:
        return "".join(_DIGITS[index] for index in region_indices if _is_index(index))
    except IndexError:
        raise PlanReplicaError(f"a region index is not below {MAXIMUM_REGIONS}") from None


def _is_index(index: int) -> bool:
    if index < 0:
        raise PlanReplicaError(f"region index {index} is negative")
    return True


def decode_placement(text: str, nodes: int, regions: int) -> tuple[int, ...]:
    """Region index per node.

    Raises:
        PlanReplicaError: The text does not place exactly `nodes` nodes in `regions` known regions.
    """
    indices = tuple(_VALUES.get(digit, -1) for digit in text)
    if len(indices) != nodes or any(not 0 <= index < regions for index in indices):
        raise PlanReplicaError(f"'{text[:64]}' does not place {nodes} nodes in {regions} regions")
    return indices


@dataclass(frozen=True)
class PlanReplica:
    """A plan, as far as routing needs it.

    Attributes:
        version: Grows with every plan of the workflow.
        manifest_id: The manifest whose node order the placements use.
        expires_at: Seconds since the epoch, UTC; afterwards every run goes home.
        home_share: Probability that a run goes home although the plan is valid, 0-1.
        regions: Region codes by index.
        hours: (hour 0-23 UTC, region index per node), ascending by hour, at least one.
    """

    version: int
    manifest_id: str
    expires_at: float
    home_share: float
    regions: tuple[str, ...]
    hours: tuple[tuple[int, tuple[int, ...]], ...]

    def placement_at(self, hour: int) -> tuple[int, tuple[int, ...]]:
        """The planned hour in force at a UTC hour, and its placement.

        That is the largest planned hour that is not later; before the first of the day, yesterday's last.
        """
        in_force = [entry for entry in self.hours if entry[0] <= hour]
        return in_force[-1] if in_force else self.hours[-1]

    def to_json(self) -> str:
        """The document of the module's text."""
        return json.dumps(
            {
                "v": PLAN_REPLICA_VERSION,
                "version": self.version,
                "manifest": self.manifest_id,
                "expires_at": self.expires_at,
                "home_share": self.home_share,
                "regions": list(self.regions),
                "hours": [[hour, encode_placement(placement)] for hour, placement in self.hours],
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str | bytes, nodes: int) -> PlanReplica:
        """Read a replica of a workflow with `nodes` nodes.

        Raises:
            PlanReplicaError: The text is no usable replica.
        """
        try:
            document = json.loads(text)
            if document["v"] != PLAN_REPLICA_VERSION:
                raise PlanReplicaError(f"plan replica version {document['v']} is not {PLAN_REPLICA_VERSION}")
            regions = tuple(str(region) for region in document["regions"])
            hours = tuple(
                (int(hour), decode_placement(placement, nodes, len(regions))) for hour, placement in document["hours"]
            )
            replica = cls(
                version=int(document["version"]),
                manifest_id=str(document["manifest"]),
                expires_at=float(document["expires_at"]),
                home_share=float(document["home_share"]),
                regions=regions,
                hours=tuple(sorted(hours)),
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, PlanReplicaError):
                raise
            raise PlanReplicaError(f"the plan replica is damaged ({error!r})") from error
        planned = [hour for hour, _ in replica.hours]
        if not planned or len(set(planned)) != len(planned) or not all(0 <= hour <= 23 for hour in planned):
            raise PlanReplicaError(f"planned hours {planned} are not distinct hours of a day")
        return replica
