"""`video_analytics`: what it sees in the four pictures of its sample."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from benchmarks.tests.packaged_jobs import check_packaged_jobs
from benchmarks.tests.running import BENCHMARKS, BenchmarkRun, Deploy, DeployedWorkflow

SAMPLE = BENCHMARKS / "video_analytics" / "sample" / "four_pictures.mp4"
SHOWN = ["Egyptian cat", "espresso", "missile", "tripod"]
START_OF_JPEG = b"\xff\xd8\xff"
START_OF_MATROSKA = b"\x1a\x45\xdf\xa3"


@pytest.fixture(scope="module")
def workflow(deploy: Deploy) -> DeployedWorkflow:
    deployed = deploy("video_analytics")
    deployed.put_object("video.mp4", SAMPLE.read_bytes())
    return deployed


@pytest.fixture(scope="module")
def run(workflow: DeployedWorkflow) -> BenchmarkRun:
    run = workflow.run({"video": "video.mp4"})
    assert run.status == "complete", run.failures
    return run


def results_of(run: BenchmarkRun) -> list[dict[str, Any]]:
    """What the four recognitions returned, in the order of their parts."""
    return sorted(run.result.values(), key=lambda result: int(result["part"]))


def test_four_parts_go_through_all_steps(run: BenchmarkRun) -> None:
    assert Counter(run.functions) == {"get_input": 1, "streaming": 4, "decode": 4, "recognition": 4}


def test_each_part_is_recognised(run: BenchmarkRun) -> None:
    results = results_of(run)
    assert [result["part"] for result in results] == [0, 1, 2, 3]
    assert [result["shows"] for result in results] == SHOWN
    assert all(0.2 < result["probability"] <= 1.0 for result in results)


def test_each_frame_is_recognised(workflow: DeployedWorkflow, run: BenchmarkRun) -> None:
    for result, shown in zip(results_of(run), SHOWN, strict=True):
        recognition = json.loads(workflow.get_object(result["labels"]))
        assert [labels[0]["name"] for labels in recognition["pictures"]] == [shown] * 3
        assert recognition["overall"][0] == {"name": shown, "probability": result["probability"]}
        for labels in [recognition["overall"], *recognition["pictures"]]:
            probabilities = [label["probability"] for label in labels]
            assert probabilities == sorted(probabilities, reverse=True)
            assert len(probabilities) == 3


def test_steps_hand_on_parts_and_pictures(workflow: DeployedWorkflow, run: BenchmarkRun) -> None:
    work = f"work/{run.run_id}"
    videos = [workflow.get_object(f"{work}/{part}.mkv") for part in range(4)]
    assert all(video.startswith(START_OF_MATROSKA) for video in videos)
    assert 0.9 * SAMPLE.stat().st_size < sum(map(len, videos)) < 1.1 * SAMPLE.stat().st_size
    for part in range(4):
        assert workflow.get_object(f"{work}/{part}.mjpeg").count(START_OF_JPEG) == 3


def test_the_number_of_frames_is_the_callers(workflow: DeployedWorkflow) -> None:
    run = workflow.run({"video": "video.mp4", "frames": 1, "output": "output/mine"})
    assert [result["shows"] for result in results_of(run)] == SHOWN
    assert [result["labels"] for result in results_of(run)] == [f"output/mine/{part}.json" for part in range(4)]
    pictures = [json.loads(workflow.get_object(result["labels"]))["pictures"] for result in results_of(run)]
    assert [len(picture) for picture in pictures] == [1] * 4


def test_bad_input_ends_as_a_failed_run_that_says_why(workflow: DeployedWorkflow) -> None:
    workflow.put_object("broken.mp4", SAMPLE.read_bytes()[:50_000])
    workflow.put_object("letter.mp4", b"a letter, not a film\n" * 50)
    workflow.put_object("nothing.mp4", b"")
    complaints: list[tuple[object, str]] = [
        ({"video": "nowhere.mp4"}, "there is no object 'nowhere.mp4'"),
        ({"video": "broken.mp4"}, "50,000 bytes are no video that can be read"),
        ({"video": "letter.mp4"}, "are no video that can be read"),
        ({"video": "nothing.mp4"}, "0 bytes are no video that can be read"),
        ({"video": "video.mp4", "frames": 0}, '"frames" must be a whole number from 1 to 100; it is 0'),
        ({}, 'the input must be {"video": KEY}'),
    ]
    for (_, complaint), run in zip(complaints, workflow.run_many([event for event, _ in complaints]), strict=True):
        assert run.status == "failed", complaint
        assert {failure.function for failure in run.failures} == {"get_input"}
        assert complaint in run.failures[-1].message
        assert complaint in workflow.show(run.run_id)


def test_its_jobs(workflow: DeployedWorkflow, run: BenchmarkRun) -> None:
    assert run.status == "complete"
    check_packaged_jobs(workflow)
