"""`regression_tuning` on the embedded cloud: the model that is kept is the better one, judged by the test itself."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import platformdirs
import pytest
from numpy.typing import NDArray

from benchmarks.tests.temporary_helper import Deployed, deployed
from multi_x_serverless.deployment.requirements import Target, install_requirements

PROJECT = Path(__file__).parents[1] / "regression_tuning"

SECOND_WINS = {"samples": 400, "seed": 7}
FIRST_WINS = {"samples": 400, "seed": 7, "second": {"trees": 2}}
"""Two trees learn next to nothing."""

PREDICT = """
import pickle, sys
import numpy as np

model, dataset = sys.argv[1:]
with open(model, "rb") as file:
    regressor = pickle.load(file)
np.save(sys.stdout.buffer, regressor.predict(np.load(dataset)["test_inputs"]))
"""


@pytest.fixture(scope="module")
def benchmark_run(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    return deployed(PROJECT, tmp_path_factory.mktemp("regression_tuning") / "state")


@pytest.fixture(scope="module")
def tuning() -> ModuleType:
    specification = importlib.util.spec_from_file_location("regression_tuning_tuning", PROJECT / "tuning.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # its data classes look themselves up
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def libraries() -> Path:
    """The packages that the functions run with, as the deployment has installed them."""
    architecture = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    target = Target(sys.version_info.minor, architecture, is_this_machine=True)
    cache = platformdirs.user_cache_path("multi-x-serverless") / "requirements"
    installed = install_requirements(PROJECT, target, cache)
    assert installed is not None
    return installed


def arrays(dataset: bytes) -> dict[str, NDArray[np.float64]]:
    with np.load(io.BytesIO(dataset)) as archive:
        return {name: archive[name] for name in archive.files}


def recomputed_score(model: bytes, dataset: bytes, libraries: Path, directory: Path) -> float:
    """Coefficient of determination over the rows to test with, from the model's predictions alone."""
    (directory / "model.pickle").write_bytes(model)
    (directory / "dataset.npz").write_bytes(dataset)
    predicted = subprocess.run(
        [sys.executable, "-c", PREDICT, str(directory / "model.pickle"), str(directory / "dataset.npz")],
        env={**os.environ, "PYTHONPATH": str(libraries)},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    targets = arrays(dataset)["test_targets"]
    residuals = targets - np.load(io.BytesIO(predicted))
    return float(1.0 - (residuals**2).sum() / ((targets - targets.mean()) ** 2).sum())


@pytest.mark.parametrize(("event", "best"), [(SECOND_WINS, "second"), (FIRST_WINS, "first")], ids=["second", "first"])
def test_the_kept_model_is_the_better_one(
    benchmark_run: Deployed, libraries: Path, tmp_path: Path, event: dict[str, Any], best: str
) -> None:
    (run,) = benchmark_run.run([event])
    assert run.status == "complete"
    report = json.loads(benchmark_run.read(run.result["report"]))
    dataset = benchmark_run.read(report["dataset"])
    kept = benchmark_run.read(run.result["model"])
    models = {one["name"]: benchmark_run.read(one["key"]) for one in report["candidates"]}
    scores = {name: recomputed_score(model, dataset, libraries, tmp_path) for name, model in models.items()}
    assert set(scores) == {"first", "second"}
    assert max(scores, key=lambda name: scores[name]) == best
    assert abs(scores["first"] - scores["second"]) > 0.01
    assert run.result["best"] == report["best"] == best
    assert kept == models[best]
    assert run.result["score"] == pytest.approx(scores[best])
    assert {one["name"]: one["score"] for one in report["candidates"]} == pytest.approx(scores)
    assert [node.node.split(":")[0] for node in run.nodes] == [
        "get_input",
        "create_dataset",
        *sorted(("first_model", "second_model"), key=[node.node.split(":")[0] for node in run.nodes].index),
        "merge_function",
        "join_runs",
    ]


def test_the_data_set_is_the_one_that_was_asked_for(benchmark_run: Deployed) -> None:
    (run,) = benchmark_run.run([{"samples": 200, "features": 6, "noise": 0, "seed": 3}])
    dataset = arrays(benchmark_run.read(json.loads(benchmark_run.read(run.result["report"]))["dataset"]))
    train, test = dataset["train_inputs"], dataset["test_inputs"]
    assert (train.shape, test.shape) == ((150, 6), (50, 6))
    rows = np.vstack([train, test])
    assert len(np.unique(rows, axis=0)) == 200, "a row to test with is one to train with"
    # Friedman's first problem, without noise.
    expected = (
        10 * np.sin(np.pi * rows[:, 0] * rows[:, 1]) + 20 * (rows[:, 2] - 0.5) ** 2 + 10 * rows[:, 3] + 5 * rows[:, 4]
    )
    np.testing.assert_allclose(np.concatenate([dataset["train_targets"], dataset["test_targets"]]), expected)


def test_the_same_input_gives_the_same_objects(benchmark_run: Deployed) -> None:
    first, again = benchmark_run.run([SECOND_WINS]), benchmark_run.run([SECOND_WINS])
    assert first[0].result == again[0].result


BAD_INPUT: dict[str, tuple[Any, str]] = {
    "no object": ([], "the input is an object like {'samples': 1000,"),
    "unknown": ({"sample": 1}, "the input has no 'sample'; there are features, first, noise, samples, second, seed."),
    "few samples": ({"samples": 49}, "'samples' is 49; a whole number from 50 to 100000 is expected."),
    "not whole": ({"seed": 1.5}, "'seed' is 1.5; a whole number from 0 to 4294967295 is expected."),
    "truth": ({"features": True}, "'features' is True; a whole number from 5 to 100 is expected."),
    "noise": ({"noise": -1}, "'noise' is -1; a number from 0 to 1000 is expected."),
    "hyper-parameters": ({"first": [1]}, "'first' is an object like {'trees': 40,"),
    "unknown hyper-parameter": (
        {"second": {"leaves": 3}},
        "'second' has no 'leaves'; there are depth, learning_rate, trees.",
    ),
    "depth": ({"second": {"depth": 0}}, "'depth' is 0; a whole number from 1 to 20 is expected."),
}
"""Name -> event, beginning of the message."""


@pytest.fixture(scope="module")
def failed_runs(benchmark_run: Deployed) -> dict[str, Any]:
    """All at once, because each is tried three times."""
    return dict(zip(BAD_INPUT, benchmark_run.run([event for event, _ in BAD_INPUT.values()]), strict=True))


@pytest.mark.parametrize("name", BAD_INPUT)
def test_what_cannot_be_used_fails_with_the_reason(failed_runs: dict[str, Any], name: str) -> None:
    run = failed_runs[name]
    assert run.status == "failed"
    assert run.failures[-1].node == "get_input:entry_point:0"
    assert run.failures[-1].message.startswith(BAD_INPUT[name][1])


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
