from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from multi_x_serverless.sdk.errors import BackendError, DamagedStateError
from multi_x_serverless.sdk.manifest import Manifest, ManifestEdge, ManifestFunction, ManifestNode
from multi_x_serverless.sdk.plan_replica import PlanReplica
from multi_x_serverless.sdk.routing import FAILURE_CACHE_S, REPLICA_CACHE_S, Choice, Router, random_fraction, utc_hour
from multi_x_serverless.sdk.tables import CLAIMS, PLAN_DOCUMENT, PLAN_REPLICAS
from multi_x_serverless.testing import MemoryBackend

MIDNIGHT = 1_700_006_400.0
WORKFLOW = "example-0.0.1"


def manifest(*, joins: bool) -> Manifest:
    return Manifest(
        workflow_id=WORKFLOW,
        module="app",
        variable="workflow",
        home="us-east-1",
        regions=("us-west-2", "us-east-1", "ca-central-1"),
        home_share=0.0,
        functions=(ManifestFunction("first", "first", "t"), ManifestFunction("second", "second", "u")),
        nodes=(ManifestNode("first", "first", sync=False), ManifestNode("second", "second", sync=joins)),
        edges=(ManifestEdge(0, 1, ()),),
    )


@dataclass
class World:
    """One entry function with its surroundings."""

    joins: bool = False
    now: float = MIDNIGHT
    draws: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.manifest = manifest(joins=self.joins)
        self.backend = MemoryBackend(lambda: self.now)
        self.reads: list[str] = []
        self.backend.hook = lambda moment, operation, region: self.reads.append(f"{moment} {operation} {region}")
        self.router = self.new_router()

    def new_router(self) -> Router:
        return Router(
            self.manifest,
            "us-east-1",
            self.backend,
            clock=lambda: self.now,
            uniform=lambda: self.draws.pop(0) if self.draws else 0.999,
        )

    def set_plan(
        self,
        hours: tuple[tuple[int, tuple[int, ...]], ...] = ((0, (0, 1)),),
        *,
        manifest_id: str | None = None,
        expires_at: float = MIDNIGHT + 7 * 86400,
        regions: tuple[str, ...] = ("us-west-2", "ca-central-1"),
    ) -> None:
        plan = PlanReplica(4, manifest_id or self.manifest.id, expires_at, 0.25, regions, hours)
        self.set_document(plan.to_json())

    def set_document(self, document: str) -> None:
        self.backend.overwrite("us-east-1", PLAN_REPLICAS, WORKFLOW, "", {PLAN_DOCUMENT: document})

    def count(self, operation: str) -> int:
        return self.reads.count(f"before {operation} us-east-1")


def test_a_plan_is_followed_in_the_manifests_indices() -> None:
    world = World()
    world.set_plan()

    choice = world.router.choose("run")

    assert choice.placement.regions == (0, 2)
    assert (choice.placement.plan_version, choice.placement.key, choice.placement.why) == (4, 0, "plan")


@pytest.mark.parametrize(
    ("hour", "planned"), [(0, 18), (1, 18), (2, 2), (5, 2), (9, 9), (10, 9), (17, 9), (18, 18), (23, 18)]
)
def test_the_hour_in_force_is_the_largest_that_is_not_later_and_wraps(hour: int, planned: int) -> None:
    world = World(now=MIDNIGHT + hour * 3600 + 1800)
    world.set_plan(((2, (0, 0)), (9, (1, 1)), (18, (0, 1))))

    assert world.router.choose("run").placement.key == planned


@pytest.mark.parametrize(
    ("second", "hour"), [(0.0, 0), (3599.999, 0), (3600.0, 1), (86399.9, 23), (86400.0, 0), (-1.0, 23)]
)
def test_hours_are_utc_integers(second: float, hour: int) -> None:
    assert utc_hour(second) == hour
    assert utc_hour(MIDNIGHT + second) == hour


def test_the_home_share_goes_home() -> None:
    world = World(draws=[0.249, 0.25])
    world.set_plan()

    assert world.router.choose("run-1").placement.why == "home_share"
    assert world.router.choose("run-2").placement.why == "plan"


def test_without_a_plan_everything_goes_home() -> None:
    placement = World().router.choose("run").placement

    assert placement.regions == (1, 1)
    assert (placement.plan_version, placement.key, placement.why) == (0, "home", "no_plan")


@pytest.mark.parametrize(("expires_in", "why"), [(0.0, "expired"), (-1.0, "expired"), (0.5, "plan")])
def test_an_expired_plan_means_home(expires_in: float, why: str) -> None:
    world = World()
    world.set_plan(expires_at=MIDNIGHT + expires_in)

    assert world.router.choose("run").placement.why == why


def test_a_plan_expires_in_a_warm_container_too() -> None:
    world = World()
    world.set_plan(expires_at=MIDNIGHT + 30)
    assert world.router.choose("run-1").placement.why == "plan"

    world.now += 30
    assert world.router.choose("run-2").placement.why == "expired"


def test_a_plan_for_another_deployment_means_home() -> None:
    world = World()
    world.set_plan(manifest_id="000000000000")

    assert world.router.choose("run").placement.why == "other_manifest"


@pytest.mark.parametrize("document", ["", "{}", "{", '{"v": 2}', "null", '{"v":1,"version":1}'])
def test_an_unreadable_plan_means_home(document: str) -> None:
    world = World()
    world.set_document(document)

    assert world.router.choose("run").placement.why == "unreadable_plan"


def test_a_plan_that_places_a_node_in_a_region_unknown_to_the_package_means_home() -> None:
    world = World()
    world.set_plan(regions=("us-west-2", "eu-north-1"))

    assert world.router.choose("run").placement.why == "unreadable_plan"


def test_a_table_that_cannot_be_read_means_home_and_is_tried_again_soon() -> None:
    world = World()
    world.set_plan()
    world.backend.unavailable_regions.add("us-east-1")
    assert world.router.choose("run-1").placement.why == "unreadable_plan"

    world.backend.unavailable_regions.clear()
    assert world.router.choose("run-2").placement.why == "unreadable_plan"
    world.now += FAILURE_CACHE_S
    assert world.router.choose("run-3").placement.why == "plan"


def test_the_replica_is_read_once_a_minute() -> None:
    world = World()
    world.set_plan(((0, (0, 0)),))
    world.router.choose("run-1")
    world.set_plan(((0, (1, 1)),))

    world.now += REPLICA_CACHE_S - 1
    assert world.router.choose("run-2").placement.regions == (0, 0)
    assert world.count("get") == 1
    world.now += 1
    assert world.router.choose("run-3").placement.regions == (2, 2)
    assert world.count("get") == 2


def test_that_there_is_no_plan_is_remembered_as_long() -> None:
    world = World()
    world.router.choose("run-1")
    world.router.choose("run-2")

    assert world.count("get") == 1


def test_without_joins_nothing_is_written() -> None:
    world = World(joins=False)
    world.set_plan()

    assert world.router.choose("run").version is None
    assert world.count("put") == 0


def test_with_joins_a_run_keeps_its_placement_through_redeliveries_and_new_plans() -> None:
    world = World(joins=True)
    world.set_plan(((0, (0, 0)),))
    first = world.router.choose("run")
    world.set_plan(((0, (1, 1)),))

    again = world.new_router().choose("run")

    assert again.placement == first.placement
    assert (first.is_new, again.is_new) == (True, False)
    assert world.new_router().choose("other-run").placement.regions == (2, 2)


@pytest.mark.parametrize("draw", [0.0, 0.9])
def test_a_recorded_placement_reads_back_as_it_was(draw: float) -> None:
    world = World(joins=True, draws=[draw])
    world.set_plan()

    assert world.router.choose("run").placement == world.router.choose("run").placement


def test_a_choice_that_cannot_be_recorded_is_no_choice() -> None:
    world = World(joins=True)
    world.set_plan()
    world.router.choose("warm-up")
    world.backend.unavailable_regions.add("us-east-1")

    with pytest.raises(BackendError):
        world.router.choose("run")


@pytest.mark.parametrize("joins", [True, False])
def test_a_run_is_sent_home_when_its_entry_region_is_down(joins: bool) -> None:
    world = World(joins=joins)
    world.set_plan()
    choice = world.router.choose("run")

    changed = world.router.send_home(choice, "run")

    assert changed.placement.regions == (1, 1)
    assert (changed.placement.key, changed.placement.why) == ("home", "region_unavailable")
    if joins:
        assert world.router.choose("run").placement == changed.placement


def test_of_two_deliveries_that_choose_one_prevails() -> None:
    world = World(joins=True)
    world.set_plan()
    choice = world.router.choose("run")
    first = world.router.send_home(choice, "run")

    second = world.router.send_home(choice, "run")

    assert second.placement == first.placement
    assert not second.is_new


def test_a_choice_that_another_delivery_acts_on_is_not_changed_any_more() -> None:
    world = World(joins=True)
    world.set_plan()
    choice = world.router.choose("run")
    other = world.new_router().choose("run")  # it may have handed the trigger on by now

    changed = world.router.send_home(choice, "run")

    assert changed.placement == other.placement == choice.placement
    assert world.new_router().choose("run").placement == choice.placement


def test_a_delivery_that_read_a_choice_just_before_it_changed_follows_the_change() -> None:
    world = World(joins=True)
    world.set_plan()
    choice = world.router.choose("run")
    changed: list[Choice] = []

    def hook(moment: str, operation: str, region: str) -> None:
        if (moment, operation) == ("after", "get") and not changed:
            changed.append(world.router.send_home(choice, "run"))

    other = world.new_router()
    other.choose("warm-up")
    world.backend.hook = hook

    assert other.choose("run").placement == changed[0].placement
    assert changed[0].placement.key == "home"


def test_of_a_choice_that_is_not_its_own_a_delivery_changes_nothing() -> None:
    world = World(joins=True)
    world.set_plan()
    world.router.choose("run")
    other = world.new_router().choose("run")

    assert world.new_router().send_home(other, "run") == other


def test_a_damaged_record_of_a_placement_is_not_guessed_at() -> None:
    world = World(joins=True)
    world.backend.overwrite("us-east-1", CLAIMS, f"{WORKFLOW}/run", "placement", {"plan": 1, "key": "x", "place": "00"})

    with pytest.raises(DamagedStateError):
        world.router.choose("run")


def test_the_random_fraction_is_a_fraction() -> None:
    draws = {random_fraction() for _ in range(100)}

    assert len(draws) == 100
    assert all(0.0 <= draw < 1.0 for draw in draws)
