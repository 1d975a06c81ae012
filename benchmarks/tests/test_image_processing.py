"""`image_processing`: every step's picture, pixel by pixel where it matters, and inputs that are none."""

from __future__ import annotations

import json

import pytest
from PIL import Image, ImageDraw

from benchmarks.tests.pictures import BLUE, GREEN, HEIGHT, RED, WIDTH, YELLOW, corners, decoded, encoded, quarters
from benchmarks.tests.running import BENCHMARKS, BenchmarkRun, Deploy, DeployedWorkflow
from multi_x_serverless.testing import WorkflowTest

STEPS = ("get_input", "flip", "rotate", "filter", "greyscale", "resize")


@pytest.fixture(scope="module")
def workflow(deploy: Deploy) -> DeployedWorkflow:
    return deploy("image_processing")


@pytest.fixture(scope="module")
def run(workflow: DeployedWorkflow) -> BenchmarkRun:
    """A run over the picture of four colours."""
    workflow.put_object("input/quarters.png", encoded(quarters()))
    return workflow.run({"image": "input/quarters.png", "output": "output/quarters.png"})


def step(workflow: DeployedWorkflow, run: BenchmarkRun, name: str) -> Image.Image:
    return decoded(workflow.get_object(f"work/{run.run_id}/{name}.png"))


def test_the_functions_run_one_after_the_other(run: BenchmarkRun) -> None:
    assert (run.status, run.functions, run.failures) == ("complete", STEPS, ())
    assert run.result == {"image": "output/quarters.png", "width": 64, "height": 128, "mode": "L"}


def test_the_input_is_stored_as_it_is(workflow: DeployedWorkflow, run: BenchmarkRun) -> None:
    image = step(workflow, run, "input")
    assert (image.mode, image.size) == ("RGB", (WIDTH, HEIGHT))
    assert image.tobytes() == quarters().tobytes()


def test_left_and_right_are_swapped(workflow: DeployedWorkflow, run: BenchmarkRun) -> None:
    image = step(workflow, run, "flip")
    assert image.size == (WIDTH, HEIGHT)
    assert corners(image) == [GREEN, RED, YELLOW, BLUE]
    original = quarters()
    for column, row in ((0, 0), (WIDTH // 2 - 1, 7), (WIDTH - 1, HEIGHT - 1)):
        assert image.getpixel((column, row)) == original.getpixel((WIDTH - 1 - column, row))


def test_it_is_turned_by_a_quarter(workflow: DeployedWorkflow, run: BenchmarkRun) -> None:
    image = step(workflow, run, "rotate")
    assert image.size == (HEIGHT, WIDTH)
    assert corners(image) == [RED, BLUE, GREEN, YELLOW]


def test_it_is_blurred_at_the_borders_of_the_colours_only(workflow: DeployedWorkflow, run: BenchmarkRun) -> None:
    image = step(workflow, run, "filter")
    assert image.size == (HEIGHT, WIDTH)
    assert corners(image) == [RED, BLUE, GREEN, YELLOW]
    border = image.getpixel((HEIGHT // 2, WIDTH // 4))
    assert isinstance(border, tuple)
    assert 0 < border[0] < 255, "between red and blue"
    assert 0 < border[2] < 255, "between red and blue"


def test_brightness_alone_is_kept(workflow: DeployedWorkflow, run: BenchmarkRun) -> None:
    image = step(workflow, run, "greyscale")
    assert (image.mode, image.size) == ("L", (HEIGHT, WIDTH))
    assert corners(image) == [luma(colour) for colour in (RED, BLUE, GREEN, YELLOW)]


def luma(colour: tuple[int, int, int]) -> int:
    """ITU-R 601-2."""
    red, green, blue = colour
    return round(0.299 * red + 0.587 * green + 0.114 * blue)


def test_the_result_is_small_and_keeps_its_proportions(workflow: DeployedWorkflow, run: BenchmarkRun) -> None:
    assert run.status == "complete"
    image = decoded(workflow.get_object("output/quarters.png"))
    assert (image.format, image.mode, image.size) == ("PNG", "L", (64, 128))
    for seen, expected in zip(corners(image), (RED, BLUE, GREEN, YELLOW), strict=True):
        assert seen == pytest.approx(luma(expected), abs=1)


def test_the_result_is_the_same_wherever_the_functions_run() -> None:
    event = {"image": "input/a.png", "output": "output/a.png"}
    objects = {"input/a.png": encoded(quarters())}
    with WorkflowTest(BENCHMARKS / "image_processing") as test:
        at_home = test.run(event, objects=objects)
        away = test.run(event, objects=objects, placement={"flip": "ca-central-1", "resize": "us-west-2"})
    assert [step.region for step in away.steps] == ["us-east-1", "ca-central-1", *["us-east-1"] * 3, "us-west-2"]
    assert away.workflow_objects["output/a.png"] == at_home.workflow_objects["output/a.png"]
    flipped = next(record for record in away.records if record["t"] == "node_finished" and record["node"] == 1)
    size_in, size_out = (len(away.workflow_objects[f"work/{away.run_id}/{name}.png"]) for name in ("input", "flip"))
    assert flipped["network"] == {"us-east-1": [size_in, size_out]}


def test_pictures_of_other_forms(workflow: DeployedWorkflow) -> None:
    """What is transparent becomes white, what lies on its side is put upright; small pictures stay small."""
    seen_through = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    ImageDraw.Draw(seen_through).rectangle([(0, 0), (19, 19)], fill=(0, 0, 255, 255))
    on_its_side = Image.Exif()
    on_its_side[0x0112] = 6  # the tag "orientation": to be turned clockwise
    workflow.put_object("input/seen-through.png", encoded(seen_through))
    workflow.put_object("input/on-its-side.jpg", encoded(quarters(), "JPEG", exif=on_its_side, quality=95))
    workflow.put_object("input/picture.jpg", (BENCHMARKS / "inputs" / "picture.jpg").read_bytes())
    runs = workflow.run_many(
        [{"image": f"input/{name}"} for name in ("seen-through.png", "on-its-side.jpg", "picture.jpg")]
    )
    assert [run.status for run in runs] == ["complete"] * 3
    results = [decoded(workflow.get_object(f"output/{run.run_id}.png")) for run in runs]
    assert [(image.mode, image.size) for image in results] == [("L", (20, 40)), ("L", (128, 64)), ("L", (85, 128))]
    # Flipped, the blue half is on the right; turned, it is at the top.
    assert corners(results[0]) == [luma(BLUE)] * 2 + [255] * 2
    assert step(workflow, runs[1], "input").size == (HEIGHT, WIDTH)
    upright = corners(step(workflow, runs[1], "input"))
    assert [nearest(colour) for colour in upright] == [BLUE, RED, YELLOW, GREEN]


def nearest(colour: object) -> tuple[int, int, int]:
    """The colour of a quarter that JPEG has changed a little."""
    assert isinstance(colour, tuple)
    return min((RED, GREEN, BLUE, YELLOW), key=lambda one: sum(abs(a - b) for a, b in zip(one, colour, strict=True)))


def test_inputs_that_cannot_be_worked_with_end_the_run(workflow: DeployedWorkflow) -> None:
    workflow.put_object("input/text.png", b"this is no picture")
    workflow.put_object("input/empty.png", b"")
    workflow.put_object("input/cut.png", encoded(quarters())[:-40])
    workflow.put_object("input/huge.png", encoded(Image.new("1", (5_001, 5_000))))
    expected = {
        '{"image": "input/missing.png"}': (
            "ObjectNotFoundError",
            "there is no object 'input/missing.png' in us-east-1",
        ),
        '{"image": "input/text.png"}': ("InputError", "the object 'input/text.png' is no picture that can be read"),
        '{"image": "input/empty.png"}': ("InputError", "the object 'input/empty.png' is no picture that can be read"),
        '{"image": "input/cut.png"}': ("InputError", "the object 'input/cut.png' is no picture that can be read"),
        '{"image": "input/huge.png"}': ("InputError", "has 5001 x 5000 pixels; at most 25,000,000"),
        '{"image": "/input"}': ("InvalidObjectKeyError", "'/input' cannot be the key of an object: it begins with '/'"),
        '{"picture": "x"}': ("InputError", 'the input must be {"image": KEY} with the key of an object'),
        '{"image": "input/text.png", "output": 5}': ("InputError", '"output" must be the key of the result; it is 5'),
        "null": ("InputError", "it is None"),
    }
    runs = workflow.run_many([json.loads(event) for event in expected])
    for run, (error, message) in zip(runs, expected.values(), strict=True):
        assert (run.status, run.functions) == ("failed", ())
        assert {failure.error for failure in run.failures} == {error}
        assert all(message in failure.message for failure in run.failures)
        assert len(run.failures) == 3, "it is tried as often as the platform tries"
    shown = workflow.show(runs[1].run_id)
    assert "failed" in shown
    assert "the object 'input/text.png' is no picture that can be read" in shown
