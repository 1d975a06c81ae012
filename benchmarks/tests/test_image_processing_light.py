"""`image_processing_light`: the flipped picture, pixel by pixel, and inputs that are none."""

from __future__ import annotations

import pytest

from benchmarks.tests.pictures import BLUE, GREEN, HEIGHT, RED, WIDTH, YELLOW, corners, decoded, encoded, quarters
from benchmarks.tests.running import BENCHMARKS, Deploy, DeployedWorkflow


@pytest.fixture(scope="module")
def workflow(deploy: Deploy) -> DeployedWorkflow:
    return deploy("image_processing_light")


def test_left_and_right_are_swapped(workflow: DeployedWorkflow) -> None:
    workflow.put_object("input/quarters.png", encoded(quarters()))
    run = workflow.run({"image": "input/quarters.png"})
    key = f"output/{run.run_id}.png"
    assert (run.status, run.functions) == ("complete", ("get_input", "flip"))
    assert run.result == {"image": key, "width": WIDTH, "height": HEIGHT, "mode": "RGB"}
    image = decoded(workflow.get_object(key))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (WIDTH, HEIGHT))
    assert corners(image) == [GREEN, RED, YELLOW, BLUE]
    assert workflow.list_objects() == ("input/quarters.png", key, f"work/{run.run_id}/input.png")


def test_the_sample_is_flipped(workflow: DeployedWorkflow) -> None:
    body = (BENCHMARKS / "inputs" / "picture.jpg").read_bytes()
    workflow.put_object("input/picture.jpg", body)
    run = workflow.run({"image": "input/picture.jpg", "output": "output/flipped.png"})
    assert run.status == "complete", run.failures
    before, after = decoded(body), decoded(workflow.get_object("output/flipped.png"))
    assert before.size == after.size
    for column in range(0, before.width, 7):
        for row in range(0, before.height, 7):
            assert before.getpixel((column, row)) == after.getpixel((before.width - 1 - column, row))


def test_inputs_that_cannot_be_worked_with_end_the_run(workflow: DeployedWorkflow) -> None:
    workflow.put_object("input/text.png", b"this is no picture")
    missing, text = workflow.run_many([{"image": "input/missing.png"}, {"image": "input/text.png"}])
    assert [run.status for run in (missing, text)] == ["failed", "failed"]
    assert "there is no object 'input/missing.png' in us-east-1" in workflow.show(missing.run_id)
    assert "the object 'input/text.png' is no picture that can be read" in workflow.show(text.run_id)
