"""`text_2_speech_censoring`: what is heard in the sound that comes out."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from benchmarks.tests.packaged_jobs import check_packaged_jobs
from benchmarks.tests.running import BENCHMARKS, BenchmarkRun, Deploy, DeployedWorkflow

SAMPLE = BENCHMARKS / "text_2_speech_censoring" / "sample" / "statement.txt"
RATE = 24_000
TONE_HZ = 1_000.0
WINDOW = RATE // 50
"""20 ms: shorter than any sound of speech, long enough to tell a tone from it."""

FUNCTIONS = {"get_input", "text_2_speech", "conversion", "compression", "profanity", "merge_function", "censor"}


@dataclass(frozen=True)
class Outcome:
    """The speech of a run before and after censoring, and the intervals (seconds) that it names."""

    before: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]
    intervals: list[tuple[float, float]]


@pytest.fixture(scope="module")
def workflow(deploy: Deploy) -> DeployedWorkflow:
    deployed = deploy("text_2_speech_censoring")
    deployed.put_object("statement.txt", SAMPLE.read_bytes())
    deployed.put_object("clean.txt", b"The printer ate my report again.")
    return deployed


@pytest.fixture(scope="module")
def runs(workflow: DeployedWorkflow) -> dict[str, BenchmarkRun]:
    """A run per format, and one of a text without profanity."""
    events: dict[str, object] = {
        name: {"text": "statement.txt", "format": name, "output": f"output/statement.{name}"}
        for name in ("ogg", "mp3", "flac")
    }
    events["clean"] = {"text": "clean.txt"}
    return dict(zip(events, workflow.run_many(list(events.values())), strict=True))


def heard(body: bytes) -> npt.NDArray[np.float64]:
    samples, rate = soundfile.read(io.BytesIO(body))
    assert rate == RATE
    return np.asarray(samples, float)


def work_of(workflow: DeployedWorkflow, run: BenchmarkRun, name: str) -> str:
    """Key of the object that a step of a run has left."""
    (key,) = (key for key in workflow.list_objects(f"work/{run.run_id}/") if f"/{name}." in key)
    return key


def outcome_of(workflow: DeployedWorkflow, run: BenchmarkRun) -> Outcome:
    assert run.status == "complete", run.failures
    return Outcome(
        heard(workflow.get_object(work_of(workflow, run, "compressed"))),
        heard(workflow.get_object(run.result["audio"])),
        [(start, end) for start, end in run.result["intervals"]],
    )


def inside(outcome: Outcome) -> npt.NDArray[np.bool_]:
    """Which samples lie in an interval that is named."""
    places = np.arange(len(outcome.after)) / RATE
    named = [(start <= places) & (places < end) for start, end in outcome.intervals]
    return np.asarray(np.any(named, axis=0))


def tone_share(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Share of the tone in the power of each window; 0 where it is silent."""
    windows = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW) * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(windows)) ** 2
    near = np.abs(np.fft.rfftfreq(WINDOW, 1.0 / RATE) - TONE_HZ) <= 100.0
    total = power.sum(axis=1)
    return np.asarray(np.where(total > 1.0, power[:, near].sum(axis=1) / np.maximum(total, 1.0), 0.0))


def pauses(samples: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    """Silences (seconds) that are longer than those within words."""
    windows = np.abs(samples[: len(samples) // WINDOW * WINDOW]).reshape(-1, WINDOW).max(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], windows < 0.02, [False]]).astype(int)))
    silences = edges.reshape(-1, 2) * WINDOW / RATE
    return [(start, end) for start, end in silences.tolist() if end - start > 0.13]


def test_each_function_runs_once(runs: dict[str, BenchmarkRun]) -> None:
    for run in runs.values():
        assert run.status == "complete", run.failures
        assert (len(run.functions), set(run.functions)) == (len(FUNCTIONS), FUNCTIONS)
        assert run.functions[0] == "get_input"
        assert run.functions[-2:] == ("merge_function", "censor")


@pytest.mark.parametrize("audio_format", ["ogg", "mp3", "flac"])
def test_the_tone_is_heard_in_the_intervals_and_only_there(
    workflow: DeployedWorkflow, runs: dict[str, BenchmarkRun], audio_format: str
) -> None:
    outcome = outcome_of(workflow, runs[audio_format])
    bleeped = inside(outcome)
    windows = bleeped[: len(bleeped) // WINDOW * WINDOW].reshape(-1, WINDOW)
    assert windows.all(axis=1).sum() > 10
    assert tone_share(outcome.after)[windows.all(axis=1)].min() > 0.95
    assert tone_share(outcome.after)[~windows.any(axis=1)].max() < 0.8
    assert tone_share(outcome.before).max() < 0.8


@pytest.mark.parametrize(("audio_format", "largest_noise"), [("ogg", 0.03), ("mp3", 0.01), ("flac", 0.0)])
def test_everything_else_sounds_as_before(
    workflow: DeployedWorkflow, runs: dict[str, BenchmarkRun], audio_format: str, largest_noise: float
) -> None:
    outcome = outcome_of(workflow, runs[audio_format])
    assert len(outcome.after) == len(outcome.before)
    outside = ~inside(outcome)
    noise = outcome.after[outside] - outcome.before[outside]
    assert (noise**2).mean() <= largest_noise * (outcome.before[outside] ** 2).mean()


def test_the_intervals_are_those_of_the_profane_words(
    workflow: DeployedWorkflow, runs: dict[str, BenchmarkRun]
) -> None:
    # "The damn printer ate my report again. What a load of crap, said the engineer, and went for coffee."
    outcome = outcome_of(workflow, runs["flac"])
    assert len(outcome.intervals) == 2
    (damn_start, damn_end), (crap_start, crap_end) = outcome.intervals
    assert 0.05 < damn_start < damn_end < 0.6
    assert 0.1 < damn_end - damn_start < 0.5
    (_, what_start), (comma_start, said_start) = pauses(outcome.before)[:2]
    assert what_start + 0.4 < crap_start < crap_end < said_start
    assert crap_end == pytest.approx(comma_start, abs=0.1)
    assert 0.2 < crap_end - crap_start < 0.7


def test_without_profanity_nothing_is_touched(workflow: DeployedWorkflow, runs: dict[str, BenchmarkRun]) -> None:
    run = runs["clean"]
    assert run.result == {"audio": f"output/{run.run_id}.ogg", "intervals": []}
    body = workflow.get_object(run.result["audio"])
    assert body == workflow.get_object(work_of(workflow, run, "compressed"))
    assert np.abs(heard(body)).max() > 0.5


def test_conversion_brings_rate_and_loudness(workflow: DeployedWorkflow, runs: dict[str, BenchmarkRun]) -> None:
    raw, raw_rate = soundfile.read(io.BytesIO(workflow.get_object(work_of(workflow, runs["ogg"], "speech"))))
    converted = heard(workflow.get_object(work_of(workflow, runs["ogg"], "converted")))
    assert raw_rate == 22_050
    assert len(converted) / RATE == pytest.approx(len(raw) / raw_rate, abs=1e-3)
    assert np.abs(converted).max() == pytest.approx(0.891, abs=0.001)


def test_bad_input_ends_as_a_failed_run_that_says_why(workflow: DeployedWorkflow) -> None:
    workflow.put_object("empty.txt", b" \n")
    workflow.put_object("dots.txt", b"...")
    workflow.put_object("latin.txt", "café".encode("latin-1"))
    complaints: list[tuple[object, str, str]] = [
        ({"text": "nowhere.txt"}, "get_input", "there is no object 'nowhere.txt'"),
        ({"text": "empty.txt"}, "get_input", "the text is empty"),
        ({"text": "latin.txt"}, "get_input", "'latin.txt' is no text in UTF-8"),
        (
            {"text": "statement.txt", "format": "wma"},
            "get_input",
            "\"format\" must be one of ogg, mp3, flac; it is 'wma'",
        ),
        ({"text": "statement.txt", "output": 1}, "get_input", '"output" must be the key of the result; it is 1'),
        ({}, "get_input", 'the input must be {"text": KEY}'),
        (None, "get_input", 'the input must be {"text": KEY}'),
        ({"text": "dots.txt"}, "text_2_speech", "no word that can be spoken"),
    ]
    for (_, function, complaint), run in zip(
        complaints, workflow.run_many([event for event, _, _ in complaints]), strict=True
    ):
        assert run.status == "failed", complaint
        assert {failure.function for failure in run.failures} == {function}
        assert complaint in run.failures[-1].message
        assert complaint in workflow.show(run.run_id)


def test_its_jobs(workflow: DeployedWorkflow, runs: dict[str, BenchmarkRun]) -> None:
    assert runs
    check_packaged_jobs(workflow)
