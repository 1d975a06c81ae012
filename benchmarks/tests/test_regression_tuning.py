"""`regression_tuning` on the embedded cloud: the model that is kept is the better one, judged by the test itself."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.tests.running import BENCHMARKS, BenchmarkRun, Deploy, DeployedWorkflow

PROJECT = BENCHMARKS / "regression_tuning"

SECOND_WINS = {"samples": 400, "seed": 7}
FIRST_WINS = {"samples": 400, "seed": 7, "second": {"trees": 2}}
"""Two trees learn next to nothing."""

WITHOUT_NOISE = {"samples": 200, "features": 6, "noise": 0, "seed": 3}

GOOD_INPUT = {"second": SECOND_WINS, "first": FIRST_WINS, "again": SECOND_WINS, "without noise": WITHOUT_NOISE}

BAD_INPUT: dict[str, tuple[object, str]] = {
    "no object": ([], "the input is an object like {'samples': 1000,"),
    "unknown": ({"sample": 1}, "the input has no 'sample'; there are features, first, noise, samples, second, seed."),
    "few samples": ({"samples": 49}, "'samples' is 49; a whole number from 50 to 100000 is expected."),
    "not whole": ({"seed": 1.5}, "'seed' is 1.5; a whole number from 0 to 4294967295 is expected."),
    "truth": ({"features": True}, "'features' is True; a whole number from 5 to 100 is expected."),
    "noise": ({"noise": -1}, "'noise' is -1; a number from 0 to 1000 is expected."),
    "hyper-parameters": ({"first": [1]}, "'first' is an object like {'trees': 40,"),
    "unknown hyper-parameter": ({"second": {"leaves": 3}}, "'second' has no 'leaves'; there are depth, learning_rate"),
    "depth": ({"second": {"depth": 0}}, "'depth' is 0; a whole number from 1 to 20 is expected."),
}
"""Name -> event, beginning of the message."""

PREDICT = """
import pickle, sys
import numpy as np

dataset, predictions, *models = sys.argv[1:]
inputs = np.load(dataset)["test_inputs"]
found = {}
for model in models:
    with open(model, "rb") as file:
        found[model] = pickle.load(file).predict(inputs)
np.savez(predictions, **found)
"""


@pytest.fixture(scope="module")
def workflow(deploy: Deploy) -> DeployedWorkflow:
    return deploy("regression_tuning")


@pytest.fixture(scope="module")
def runs(workflow: DeployedWorkflow) -> dict[str, BenchmarkRun]:
    """All at once: those that fail are tried three times, and a worker is slow at first."""
    events: dict[str, object] = {**GOOD_INPUT, **{name: event for name, (event, _) in BAD_INPUT.items()}}
    return dict(zip(events, workflow.run_many(list(events.values())), strict=True))


@pytest.fixture(scope="module")
def tuning() -> ModuleType:
    specification = importlib.util.spec_from_file_location("regression_tuning_tuning", PROJECT / "tuning.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # its data classes look themselves up
    specification.loader.exec_module(module)
    return module


def arrays(dataset: bytes) -> dict[str, NDArray[np.float64]]:
    with np.load(io.BytesIO(dataset)) as archive:
        return {name: archive[name] for name in archive.files}


@dataclass(frozen=True)
class Tuned:
    """What a run has left.

    Attributes:
        report: As it is stored.
        models: Candidate -> its model.
        kept: The model that was kept.
    """

    report: dict[str, Any]
    models: dict[str, bytes]
    kept: bytes


@pytest.fixture(scope="module")
def tuned(workflow: DeployedWorkflow, runs: dict[str, BenchmarkRun]) -> dict[str, Tuned]:
    """By the candidate that should win."""
    found = {}
    for name in ("first", "second"):
        assert runs[name].status == "complete"
        report = json.loads(workflow.get_object(runs[name].result["report"]))
        models = {one["name"]: workflow.get_object(one["key"]) for one in report["candidates"]}
        found[name] = Tuned(report, models, workflow.get_object(runs[name].result["model"]))
    return found


@pytest.fixture(scope="module")
def scores(
    workflow: DeployedWorkflow, tuned: dict[str, Tuned], tmp_path_factory: pytest.TempPathFactory
) -> dict[bytes, float]:
    """Model -> coefficient of determination over the rows to test with, from its predictions alone."""
    (key,) = {one.report["dataset"] for one in tuned.values()}
    dataset = workflow.get_object(key)
    directory = tmp_path_factory.mktemp("scores")
    (directory / "dataset.npz").write_bytes(dataset)
    models = sorted({model for one in tuned.values() for model in one.models.values()})
    names = [f"model_{number}" for number in range(len(models))]
    for name, model in zip(names, models, strict=True):
        (directory / name).write_bytes(model)
    # The model needs the libraries that it was made with, and only the package has them.
    (package,) = {app.parent for app in (workflow.state / "packages").glob("*/app.py")}
    subprocess.run(
        [sys.executable, "-c", PREDICT, "dataset.npz", "predictions.npz", *names],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(package)},
        check=True,
    )
    targets = arrays(dataset)["test_targets"]
    predictions = arrays((directory / "predictions.npz").read_bytes())
    total = ((targets - targets.mean()) ** 2).sum()
    return {
        model: float(1.0 - ((targets - predictions[name]) ** 2).sum() / total)
        for name, model in zip(names, models, strict=True)
    }


@pytest.mark.parametrize("best", ["second", "first"])
def test_the_kept_model_is_the_better_one(
    runs: dict[str, BenchmarkRun], tuned: dict[str, Tuned], scores: dict[bytes, float], best: str
) -> None:
    result, left = runs[best].result, tuned[best]
    recomputed = {name: scores[model] for name, model in left.models.items()}
    assert set(recomputed) == {"first", "second"}
    assert max(recomputed, key=lambda name: recomputed[name]) == best
    assert abs(recomputed["first"] - recomputed["second"]) > 0.01
    assert result["best"] == left.report["best"] == best
    assert left.kept == left.models[best]
    assert result["score"] == pytest.approx(recomputed[best])
    assert {one["name"]: one["score"] for one in left.report["candidates"]} == pytest.approx(recomputed)


@pytest.mark.parametrize("name", GOOD_INPUT)
def test_both_models_are_trained_between_data_set_and_join(runs: dict[str, BenchmarkRun], name: str) -> None:
    functions = runs[name].functions
    assert functions[:2] == ("get_input", "create_dataset")
    assert sorted(functions[2:4]) == ["first_model", "second_model"]
    assert functions[4:] == ("merge_function", "join_runs")


def test_the_data_set_is_the_one_that_was_asked_for(workflow: DeployedWorkflow, runs: dict[str, BenchmarkRun]) -> None:
    report = json.loads(workflow.get_object(runs["without noise"].result["report"]))
    dataset = arrays(workflow.get_object(report["dataset"]))
    train, test = dataset["train_inputs"], dataset["test_inputs"]
    assert (train.shape, test.shape) == ((150, 6), (50, 6))
    rows = np.vstack([train, test])
    assert len(np.unique(rows, axis=0)) == 200, "a row to test with is one to train with"
    # Friedman's first problem.
    expected = (
        10 * np.sin(np.pi * rows[:, 0] * rows[:, 1]) + 20 * (rows[:, 2] - 0.5) ** 2 + 10 * rows[:, 3] + 5 * rows[:, 4]
    )
    np.testing.assert_allclose(np.concatenate([dataset["train_targets"], dataset["test_targets"]]), expected)


def test_the_same_input_gives_the_same_result(runs: dict[str, BenchmarkRun]) -> None:
    assert runs["again"].result == runs["second"].result
    assert runs["first"].result != runs["second"].result


@pytest.mark.parametrize("name", BAD_INPUT)
def test_what_cannot_be_used_fails_with_the_reason(runs: dict[str, BenchmarkRun], name: str) -> None:
    run = runs[name]
    assert (run.status, run.functions) == ("failed", ())
    assert {failure.message.startswith(BAD_INPUT[name][1]) for failure in run.failures} == {True}


def test_status_shows_the_reason(workflow: DeployedWorkflow, runs: dict[str, BenchmarkRun]) -> None:
    assert "'samples' is 49; a whole number from 50 to 100000 is expected." in workflow.show(runs["few samples"].run_id)


def test_of_equal_scores_the_smaller_model_is_kept(tuning: ModuleType) -> None:
    def candidate(name: str, trees: int, score: float) -> Any:
        return tuning.Candidate(name, tuning.HyperParameters(trees, 3, 0.1), score, name)

    ranked = tuning.best_first([candidate("first", 50, 0.5), candidate("second", 20, 0.5), candidate("third", 99, 0.6)])
    assert [one.name for one in ranked] == ["third", "second", "first"]


def test_different_parameters_have_different_keys(tuning: ModuleType) -> None:
    datasets = {tuning.DatasetParameters(100, 5, noise, seed).key for noise in (0.1, 0.1000001) for seed in (1, 2)}
    assert len(datasets) == 4
    labels = {tuning.HyperParameters(10, depth, rate).label for depth in (1, 2) for rate in (0.1, 0.1000001)}
    assert len(labels) == 4


def test_what_is_left_out_has_a_default(tuning: ModuleType) -> None:
    assert tuning.read_input(None) == tuning.read_input({})
    dataset, candidates = tuning.read_input({"seed": 5, "first": {"trees": 7}})
    assert (dataset.samples, dataset.seed) == (1000, 5)
    assert (candidates["first"].trees, candidates["first"].depth) == (7, 2)
    assert candidates["second"] == tuning.read_input({})[1]["second"]
