from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from multi_x_serverless import _core
from tests.unit.core.documents import ENTRY, JOIN, LABEL, RESIZE, RUNS, dump, fan_out_problem

Change = Callable[[dict[str, Any]], None]


def _set(*path: str | int, value: Any) -> Change:
    def change(problem: dict[str, Any]) -> None:
        target: Any = problem
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value

    return change


def _delete(*path: str | int) -> Change:
    def change(problem: dict[str, Any]) -> None:
        target: Any = problem
        for step in path[:-1]:
            target = target[step]
        del target[path[-1]]

    return change


def _cycle(problem: dict[str, Any]) -> None:
    problem["edges"].append({"from": JOIN, "to": RESIZE, "round_trips": 1.0})


def _second_entry(problem: dict[str, Any]) -> None:
    problem["nodes"].append({**problem["nodes"][0], "name": "other:entry_point:0"})


def _contradiction(problem: dict[str, Any]) -> None:
    problem["observations"]["nodes"][LABEL]["ran"][2] = 1
    problem["observations"]["nodes"][LABEL]["region"][2] = 0
    problem["observations"]["nodes"][LABEL]["data_bytes"][2] = 0
    problem["observations"]["edges"][3]["called"][2] = 0


def _without_runs(problem: dict[str, Any]) -> None:
    problem["observations"] = {"runs": 0, "trigger_bytes": [], "nodes": {}, "edges": []}
    node = {"duration_s": {"median": 0.5, "sigma_log": 0.8}, "cpu_utilization": 0.5, "data_bytes": 0}
    edge = {"call_probability": 1.0, "payload_bytes": 1024, "offset_fraction": 1.0}
    problem["priors"] = {
        "nodes": {name: dict(node) for name in (ENTRY, RESIZE, LABEL, JOIN)},
        "edges": [dict(edge) for _ in range(4)],
        "trigger_bytes": 1024,
    }


def _both(first: Change, second: Change) -> Change:
    def change(problem: dict[str, Any]) -> None:
        first(problem)
        second(problem)

    return change


REFUSALS: list[tuple[str, Change, str, str]] = [
    ("newer version", _set("version", value=2), "unsupported-version", "version"),
    ("no version", _delete("version"), "unsupported-version", "version"),
    ("other schema", _set("schema", value="multi-x-serverless/plan"), "unknown-schema", "schema"),
    ("unknown field", _set("colour", value="green"), "invalid-field", "colour"),
    ("unknown field deep down", _set("nodes", 1, "memory", value=1), "invalid-field", "nodes[1].memory"),
    ("missing field", _delete("prices", "us-east-1", "log_usd_per_gb"), "invalid-field", "prices.us-east-1"),
    ("wrong type", _set("nodes", 0, "memory_mb", value="big"), "invalid-field", "nodes[0].memory_mb"),
    ("null number", _set("nodes", 0, "memory_mb", value=None), "invalid-field", "nodes[0].memory_mb"),
    ("unknown architecture", _set("nodes", 0, "architecture", value="mips"), "invalid-field", "nodes[0].architecture"),
    ("negative memory", _set("nodes", 2, "memory_mb", value=-1), "out-of-range", "nodes[2].memory_mb"),
    ("zero memory", _set("nodes", 2, "memory_mb", value=0), "out-of-range", "nodes[2].memory_mb"),
    ("no regions", _set("regions", value=[]), "out-of-range", "regions"),
    ("region twice", _set("regions", value=["us-east-1", "us-east-1"]), "duplicate-name", "regions[1]"),
    ("unknown home", _set("home", value="mars-north-1"), "unknown-name", "home"),
    ("no hours", _set("hours", value=[]), "out-of-range", "hours"),
    ("hour 24", _set("hours", value=[24]), "out-of-range", "hours[0]"),
    ("hour twice", _set("hours", value=[3, 3]), "duplicate-name", "hours[1]"),
    ("hour as text", _set("hours", value=["3"]), "invalid-field", "hours[0]"),
    ("no nodes", _set("nodes", value=[]), "unknown-name", "edges[0].from"),
    ("node twice", _set("nodes", 1, "name", value=ENTRY), "duplicate-name", "nodes[1].name"),
    ("unknown node", _set("edges", 0, "to", value="nobody"), "unknown-name", "edges[0].to"),
    ("negative round trips", _set("edges", 0, "round_trips", value=-1), "out-of-range", "edges[0].round_trips"),
    ("cycle", _cycle, "invalid-graph", "edges"),
    ("two entries", _second_entry, "invalid-graph", "nodes"),
    ("entry as join", _set("nodes", 0, "sync", value=True), "invalid-graph", "nodes[0].sync"),
    ("home not allowed", _set("nodes", 1, "allowed", value=["ca-central-1"]), "out-of-range", "nodes[1].allowed"),
    ("nothing allowed", _set("nodes", 1, "allowed", value=[]), "out-of-range", "nodes[1].allowed"),
    ("allowed unknown", _set("nodes", 1, "allowed", 1, value="x"), "unknown-name", "nodes[1].allowed[1]"),
    ("allowed twice", _set("nodes", 1, "allowed", 1, value="us-east-1"), "duplicate-name", "nodes[1].allowed[1]"),
    (
        "intensity missing",
        _delete("intensity_gco2e_per_kwh", "ca-central-1"),
        "invalid-field",
        "intensity_gco2e_per_kwh.ca-central-1",
    ),
    (
        "23 intensities",
        _set("intensity_gco2e_per_kwh", "us-east-1", value=[1.0] * 23),
        "out-of-range",
        "intensity_gco2e_per_kwh.us-east-1",
    ),
    (
        "negative intensity",
        _set("intensity_gco2e_per_kwh", "us-east-1", 5, value=-0.1),
        "out-of-range",
        "intensity_gco2e_per_kwh.us-east-1[5]",
    ),
    (
        "interval upside down",
        _set("intensity_interval", value={"low_factor": 1.2, "high_factor": 0.9}),
        "out-of-range",
        "intensity_interval",
    ),
    (
        "energy within a region below zero",
        _set("transmission", "interval", value={"low_factor": 1.0, "high_factor": 2.0, "intra_high_factor": -0.1}),
        "out-of-range",
        "transmission.interval.intra_high_factor",
    ),
    (
        "interval of intensities with a factor of energy",
        _set("intensity_interval", value={"low_factor": 0.9, "high_factor": 1.1, "intra_high_factor": 0.0}),
        "invalid-field",
        "intensity_interval.intra_high_factor",
    ),
    ("efficiency below one", _set("power", "pue_default", value=0.9), "out-of-range", "power.pue_default"),
    ("power upside down", _set("power", "vcpu_max_kw", value=0.0001), "out-of-range", "power.vcpu_max_kw"),
    ("prices missing", _delete("prices", "ca-central-1"), "invalid-field", "prices.ca-central-1"),
    (
        "egress missing",
        _set("prices", "us-east-1", "egress_usd_per_gb", value={}),
        "invalid-field",
        "prices.us-east-1.egress_usd_per_gb.ca-central-1",
    ),
    (
        "negative price",
        _set("prices", "us-east-1", "kv_usd_per_read_unit", value=-1e-9),
        "out-of-range",
        "prices.us-east-1.kv_usd_per_read_unit",
    ),
    ("latency not square", _set("latency", "round_trip_s", 1, value=[0.1]), "out-of-range", "latency.round_trip_s[1]"),
    (
        "no bandwidth",
        _set("latency", "bandwidth_bytes_per_s", value=0),
        "out-of-range",
        "latency.bandwidth_bytes_per_s",
    ),
    ("speed of nowhere", _set("relative_speed", "nowhere", value=1), "unknown-name", "relative_speed.nowhere"),
    ("no speed", _set("relative_speed", "us-east-1", value=0), "out-of-range", "relative_speed.us-east-1"),
    (
        "short column",
        _set("observations", "nodes", RESIZE, "duration_s", value=[1.0]),
        "inconsistent-observations",
        f"observations.nodes.{RESIZE}.duration_s",
    ),
    (
        "too few weights",
        _set("observations", "weights", value=[1.0, 2.0]),
        "inconsistent-observations",
        "observations.weights",
    ),
    (
        "a run that stands for none",
        lambda document: document["observations"].update(weights=[0.0] * document["observations"]["runs"]),
        "out-of-range",
        "observations.weights[0]",
    ),
    (
        "a run that stands for too many",
        lambda document: document["observations"].update(weights=[1e13] * document["observations"]["runs"]),
        "out-of-range",
        "observations.weights[0]",
    ),
    (
        "columns missing",
        _delete("observations", "nodes", RESIZE),
        "invalid-field",
        f"observations.nodes.{RESIZE}",
    ),
    (
        "negative duration",
        _set("observations", "nodes", RESIZE, "duration_s", 4, value=-1.0),
        "out-of-range",
        f"observations.nodes.{RESIZE}.duration_s[4]",
    ),
    (
        "region index beyond the list",
        _set("observations", "nodes", RESIZE, "region", 4, value=2),
        "out-of-range",
        f"observations.nodes.{RESIZE}.region[4]",
    ),
    (
        "half a run",
        _set("observations", "nodes", RESIZE, "ran", 4, value=2),
        "out-of-range",
        f"observations.nodes.{RESIZE}.ran[4]",
    ),
    (
        "called by nobody",
        _set("observations", "edges", 3, "called", 2, value=1),
        "inconsistent-observations",
        "observations.edges[3].called[2]",
    ),
    (
        "a call that is neither made nor declined",
        _set("observations", "edges", 0, "called", 0, value=None),
        "inconsistent-observations",
        "observations.edges[0].called[0]",
    ),
    ("ran without a call", _contradiction, "inconsistent-observations", f"observations.nodes.{LABEL}.ran[2]"),
    (
        "no duration at all",
        _set("observations", "nodes", JOIN, "duration_s", value=[None] * RUNS),
        "missing-estimates",
        f"observations.nodes.{JOIN}.duration_s",
    ),
    (
        "payload unknown",
        _set("observations", "edges", 0, "payload_bytes", 3, value=None),
        "inconsistent-observations",
        "observations.edges[0].payload_bytes[3]",
    ),
    (
        "offset beyond the node",
        _set("observations", "edges", 0, "offset_fraction", 3, value=1.5),
        "out-of-range",
        "observations.edges[0].offset_fraction[3]",
    ),
    (
        "data to an unlisted region",
        _set("observations", "nodes", RESIZE, "sent_bytes", value={"eu-west-1": [0.0] * RUNS}),
        "unknown-name",
        f"observations.nodes.{RESIZE}.sent_bytes.eu-west-1",
    ),
    (
        "runs with values but none counted",
        _set("observations", "runs", value=0),
        "inconsistent-observations",
        "observations.runs",
    ),
    ("neither runs nor priors", _both(_without_runs, _set("priors", value=None)), "missing-estimates", "priors"),
    (
        "probability above one",
        _both(_without_runs, _set("priors", "edges", 1, "call_probability", value=1.1)),
        "out-of-range",
        "priors.edges[1].call_probability",
    ),
    (
        "unknown metric",
        _set("constraints", "priority_order", value=["speed"]),
        "invalid-field",
        "constraints.priority_order[0]",
    ),
    (
        "metric twice",
        _set("constraints", "priority_order", value=["cost", "cost"]),
        "duplicate-name",
        "constraints.priority_order[1]",
    ),
    ("no objective", _set("constraints", "priority_order", value=[]), "out-of-range", "constraints.priority_order"),
    (
        "negative tolerance",
        _set("constraints", "priority_tolerance", value=-0.1),
        "out-of-range",
        "constraints.priority_tolerance",
    ),
    (
        "unknown limit type",
        _set("constraints", "hard", value={"cost": {"type": "percent", "value": 1}}),
        "invalid-field",
        "constraints.hard.cost.type",
    ),
    (
        "negative limit",
        _set("constraints", "hard", value={"cost": {"type": "absolute", "value": -1}}),
        "out-of-range",
        "constraints.hard.cost.value",
    ),
    ("tail of one", _set("settings", "tail", value=1.0), "out-of-range", "settings.tail"),
    ("no scenarios", _set("settings", "scenarios", value=0), "out-of-range", "settings.scenarios"),
    ("no deadline", _set("settings", "deadline_s", value=0), "out-of-range", "settings.deadline_s"),
    (
        "no fresh scenarios",
        _set("settings", "validation_scenarios", value=0),
        "out-of-range",
        "settings.validation_scenarios",
    ),
    ("too many scenarios", _set("settings", "scenarios", value=200_001), "out-of-range", "settings.scenarios"),
    ("no samples are enough", _set("settings", "min_samples", value=0), "out-of-range", "settings.min_samples"),
    ("deadline beyond all times", _set("settings", "deadline_s", value=1e300), "out-of-range", "settings.deadline_s"),
    ("memory beyond all machines", _set("nodes", 0, "memory_mb", value=1e300), "out-of-range", "nodes[0].memory_mb"),
    (
        "hardly any bandwidth",
        _set("latency", "bandwidth_bytes_per_s", value=1e-300),
        "out-of-range",
        "latency.bandwidth_bytes_per_s",
    ),
    ("a call to itself", _set("edges", 1, "to", value=ENTRY), "invalid-graph", "edges"),
    ("an object as a list", _set("trigger", value=["us-east-1", 0.002]), "invalid-field", "trigger"),
    ("a number as text", _set("power", "pue_default", value="NaN"), "invalid-field", "power.pue_default"),
    (
        "home elsewhere than the regions",
        _both(_set("home", value="eu-west-1"), _set("nodes", 0, "allowed", value=["eu-west-1"])),
        "unknown-name",
        "home",
    ),
    (
        "estimates wider than the world",
        _both(_without_runs, _set("priors", "nodes", ENTRY, "duration_s", "sigma_log", value=6)),
        "out-of-range",
        f"priors.nodes.{ENTRY}.duration_s.sigma_log",
    ),
    ("image storage", _set("settings", "image_storage", value={}), "unsupported-setting", "settings.image_storage"),
]


@pytest.mark.parametrize(
    ("change", "code", "path"), [entry[1:] for entry in REFUSALS], ids=[entry[0] for entry in REFUSALS]
)
def test_a_document_at_fault_is_refused_with_the_path_of_the_field(change: Change, code: str, path: str) -> None:
    problem = fan_out_problem()
    change(problem)
    with pytest.raises(_core.InvalidProblemError) as refusal:
        _core.Problem.from_json(dump(problem))
    assert (refusal.value.code, refusal.value.path) == (code, path)
    assert str(refusal.value).startswith(path)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_know_are_refused(number: float) -> None:
    problem = fan_out_problem()
    problem["outside_intensity_gco2e_per_kwh"] = number
    with pytest.raises(_core.InvalidProblemError) as refusal:
        _core.Problem.from_json(dump(problem))
    assert refusal.value.code == "malformed-json"


def test_a_number_too_large_for_double_precision_is_refused() -> None:
    text = json.dumps(fan_out_problem()).replace('"forward_duration_s": 0.002', '"forward_duration_s": 1e999')
    with pytest.raises(_core.InvalidProblemError) as refusal:
        _core.Problem.from_json(text)
    assert refusal.value.code == "malformed-json"


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema": "multi-x-serverless/problem"} {}']
)
def test_anything_else_is_refused_too(text: bytes) -> None:
    with pytest.raises(_core.InvalidProblemError):
        _core.Problem.from_json(text)


@pytest.mark.parametrize("once", ['"home": "us-east-1"', '"relative_speed": {"ca-central-1": 1.05'])
def test_nothing_is_named_twice(once: str) -> None:
    text = json.dumps(fan_out_problem())
    assert text.count(once) == 1
    added = once.partition("{")[2] or once
    with pytest.raises(_core.InvalidProblemError) as refusal:
        _core.Problem.from_json(text.replace(once, f"{once}, {added}"))
    assert refusal.value.code == "invalid-field"
    assert refusal.value.path == ("relative_speed" if "{" in once else "")


def test_half_a_document_is_no_json() -> None:
    text = dump(fan_out_problem())
    for length in range(0, len(text), 97):
        with pytest.raises(_core.InvalidProblemError) as refusal:
            _core.Problem.from_json(text[:length])
        assert refusal.value.code == "malformed-json"
        assert "?" not in refusal.value.path


def test_a_region_that_no_node_may_use_is_listed_for_its_data_only() -> None:
    problem = fan_out_problem()
    for node in problem["nodes"]:
        node["allowed"] = ["us-east-1"]
    problem["observations"]["nodes"][RESIZE]["sent_bytes"] = {"ca-central-1": [1e6] * RUNS}
    for hour in json.loads(_core.Problem.from_json(dump(problem)).solve())["hours"]:
        assert hour["status"] == "optimal"
        assert set(hour["placement"].values()) == {"us-east-1"}


def test_too_few_scenarios_for_a_hard_limit_are_refused() -> None:
    problem = fan_out_problem()
    problem["settings"]["scenarios"] = 58
    assert _core.Problem.from_json(dump(problem)).evaluate(_home(problem), 0).cost.tail_upper is None
    problem["constraints"]["hard"] = {"cost": {"type": "relative", "value": 1.0}}
    with pytest.raises(_core.InvalidProblemError, match="at least 59 scenarios") as refusal:
        _core.Problem.from_json(dump(problem))
    assert refusal.value.path == "settings.scenarios"


def test_only_settings_and_constraints_have_defaults() -> None:
    problem = fan_out_problem()
    for optional in ("intensity_interval", "relative_speed", "priors", "constraints", "settings"):
        del problem[optional]
    parsed = _core.Problem.from_json(dump(problem))
    assert len(parsed.samples(_home(problem), 0)["cost"]) == 1000
    for required in sorted(problem):
        incomplete = {name: value for name, value in problem.items() if name != required}
        with pytest.raises(_core.InvalidProblemError):
            _core.Problem.from_json(dump(incomplete))


def test_a_document_is_read_from_text_bytes_and_files_alike(tmp_path: Any) -> None:
    document = dump(fan_out_problem())
    path = tmp_path / "problem.json"
    path.write_bytes(document)
    problems = [
        _core.Problem.from_json(document),
        _core.Problem.from_json(document.decode()),
        _core.Problem.from_file(path),
        _core.Problem.from_file(str(path)),
    ]
    assert len({problem.hash for problem in problems}) == 1
    assert problems[0].nodes == [ENTRY, RESIZE, LABEL, JOIN]
    assert problems[0].regions == ["us-east-1", "ca-central-1"]
    assert problems[0].hours == [0, 12]
    assert problems[0].workflow == "fan_out-0.1.0"
    with pytest.raises(FileNotFoundError):
        _core.Problem.from_file(tmp_path / "missing.json")
    with pytest.raises(TypeError):
        _core.Problem.from_json(17)  # type: ignore[arg-type]


def _home(problem: dict[str, Any]) -> dict[str, str]:
    return {node["name"]: problem["home"] for node in problem["nodes"]}


def test_a_lone_surrogate_is_no_json() -> None:
    with pytest.raises(_core.InvalidProblemError) as refusal:
        _core.Problem.from_json('{"workflow": "\ud800"}')
    assert refusal.value.code == "malformed-json"


@pytest.mark.parametrize("path", [("nodes", 0, "architecture"), ("constraints", "priority_order", 0)])
def test_names_are_strings_and_not_objects(path: tuple[str | int, ...]) -> None:
    problem: Any = fan_out_problem()
    place = problem
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = {place[path[-1]]: None}
    with pytest.raises(_core.InvalidProblemError) as refusal:
        _core.Problem.from_json(dump(problem))
    assert refusal.value.code == "invalid-field"
    assert str(path[0]) in refusal.value.path


def test_numbers_that_are_too_large_together_are_refused() -> None:
    problem = fan_out_problem()
    problem["nodes"][0]["memory_mb"] = 1e12
    for prices in problem["prices"].values():
        prices["lambda_usd_per_gb_s"] = {"x86_64": 1e12, "arm64": 1e12}
    columns = problem["observations"]["nodes"][problem["nodes"][0]["name"]]
    columns["duration_s"] = [1e12] * len(columns["duration_s"])
    with pytest.raises(_core.InvalidProblemError, match="so large together") as refusal:
        _core.Problem.from_json(dump(problem))
    assert refusal.value.code == "out-of-range"
