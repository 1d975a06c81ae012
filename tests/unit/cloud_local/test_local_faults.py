"""Fault plans and the dice."""

from __future__ import annotations

from pathlib import Path

import pytest

from multi_x_serverless.cloud.local import DeliveryFaults, FaultPlan, OperationFaults, Outage
from multi_x_serverless.cloud.local.faults import FaultInjector, read_fault_plan
from multi_x_serverless.errors import InvalidConfigurationError

DOCUMENT = """
seed: 7
delivery: {duplicate: 0.05, delay: 0.1, delay_s: 2, crash: 0.02, crashed_attempts: 2}
operations:
  publish: {throttle: 0.05, crash_after: 0.01}
  "*": {throttle: 0.01}
outages:
  - {region: us-west-2, start_s: 10, end_s: 30}
"""


def test_a_plan_is_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "faults.yml"
    path.write_text(DOCUMENT, encoding="utf-8")
    assert read_fault_plan(path) == FaultPlan(
        seed=7,
        delivery=DeliveryFaults(duplicate=0.05, delay=0.1, delay_s=2, crash=0.02, crashed_attempts=2),
        operations={"publish": OperationFaults(throttle=0.05, crash_after=0.01), "*": OperationFaults(throttle=0.01)},
        outages=(Outage("us-west-2", 10, 30),),
    )


@pytest.mark.parametrize("text", [None, "", "{}"])
def test_no_plan_is_no_faults(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "faults.yml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert read_fault_plan(path) == FaultPlan()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[1]", "the plan must be a mapping"),
        ("{", "not YAML"),
        ("sed: 1", "sed is unknown; known are seed"),
        ("seed: x", "seed must be an integer"),
        ("delivery: 1", "delivery must be a mapping"),
        ("delivery: {drop: often}", "delivery.drop has a value of the wrong type"),
        ("delivery: {drop: 1.5}", "delivery.drop must be a probability"),
        ("delivery: {drop: true}", "delivery.drop has a value of the wrong type"),
        ("delivery: {delay_s: -1}", "delivery.delay_s must be a finite number and not negative"),
        ("delivery: {reorder_s: .inf}", "delivery.reorder_s must be a finite number"),
        ("delivery: {redelivery_s: .nan}", "delivery.redelivery_s must be a finite number"),
        ("delivery: {crashed_attempts: -1}", "crashed_attempts must not be negative"),
        ("operations: {erase: {throttle: 1}}", "operations.erase is no operation"),
        ("operations: {put: {throttle: 2}}", "operations.put.throttle must be a probability"),
        ("outages: {}", "outages must be a list"),
        ("outages: [{region: us-east-1}]", "lacks start_s, end_s"),
        ("outages: [{region: us-east-1, start_s: 5, end_s: 1}]", "must end after it starts"),
    ],
)
def test_what_is_no_plan_is_refused_with_file_and_field(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "faults.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidConfigurationError) as caught:
        read_fault_plan(path)
    assert complaint in str(caught.value)
    assert caught.value.file == str(path)


def test_the_seed_decides() -> None:
    draws = {seed: [FaultInjector(FaultPlan(seed)).draw("drop") for _ in range(3)] for seed in (1, 2)}
    again = FaultInjector(FaultPlan(1))
    assert [again.draw("drop") for _ in range(1)] == draws[1][:1]
    assert draws[1][0] != draws[2][0]


def test_kinds_of_faults_have_dice_of_their_own() -> None:
    alone, mixed = FaultInjector(FaultPlan(3)), FaultInjector(FaultPlan(3))
    expected = [alone.draw("drop") for _ in range(5)]
    seen = []
    for _ in range(5):
        mixed.draw("crash")
        seen.append(mixed.draw("drop"))
    assert seen == expected
    assert len(set(seen)) == 5


def test_faults_happen_about_as_often_as_planned() -> None:
    injector = FaultInjector(FaultPlan(5))
    hits = sum(injector.happens("delay", 0.2) for _ in range(5000))
    assert 900 <= hits <= 1100
    assert not any(injector.happens("never", 0.0) for _ in range(100))
    assert all(injector.happens("always", 1.0) for _ in range(100))


def test_an_operation_has_its_own_faults_or_those_of_all() -> None:
    plan = FaultPlan(operations={"put": OperationFaults(throttle=0.5), "*": OperationFaults(throttle=0.1)})
    assert plan.of_operation("put").throttle == 0.5
    assert plan.of_operation("get").throttle == 0.1
    assert FaultPlan().of_operation("get") == OperationFaults()


def test_outages_begin_and_end() -> None:
    time = 100.0
    injector = FaultInjector(FaultPlan(outages=(Outage("us-west-2", 10, 30),)), monotonic=lambda: time)
    seen = []
    for since in (0, 10, 29.9, 30):
        time = 100.0 + since
        seen.append(injector.region_is_out("us-west-2"))
    assert seen == [False, True, True, False]
    injector.begin_outage("us-east-1")
    assert injector.region_is_out("us-east-1")
    injector.end_outage("us-east-1")
    assert not injector.region_is_out("us-east-1")
