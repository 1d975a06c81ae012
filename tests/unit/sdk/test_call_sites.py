from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from multi_x_serverless.sdk.call_sites import CallSites
from multi_x_serverless.sdk.errors import CallSiteError
from multi_x_serverless.sdk.manifest import CallStep, Manifest, ManifestEdge, ManifestFunction, ManifestNode

SOURCE = """\
from helpers import helper_of_helper

def plain():
    return call()

def two_lines():
    return call(
        1,
        key=call.__name__,
    )

def by_helper():
    return helper()

def helper():
    return call()

def by_two_helpers():
    return helper_of_helper(helper)

def first_of_two():
    return (helper(), helper_of_helper(helper))[0]

def second_of_two():
    return (helper(), helper_of_helper(helper))[1]

def by_map():
    return list(map(lambda _: helper(), [1]))[0]

def in_a_lambda():
    return (lambda: call())()

def nowhere():
    return call()
"""
HELPERS = """\
def helper_of_helper(function):
    return function()
"""


def manifest_of(sites: list[list[tuple[str, int, int]]], targets: list[str] | None = None) -> Manifest:
    names = targets or ["target"] * len(sites)
    return Manifest(
        workflow_id="example-0.0.1",
        module="app",
        variable="workflow",
        home="us-east-1",
        regions=("us-east-1",),
        home_share=0.0,
        functions=tuple(ManifestFunction(name, name, name) for name in ["entry", *names]),
        nodes=tuple(ManifestNode(name, name, sync=False) for name in ["entry", *names]),
        edges=tuple(
            ManifestEdge(0, index + 1, tuple(CallStep(*step) for step in site)) for index, site in enumerate(sites)
        ),
    )


def run_developers_function(function: Callable[[], object]) -> object:
    return function()


Located = Callable[[Manifest, str], int]


@pytest.fixture
def locate(tmp_path: Path) -> Located:
    """Which edge the call of `call()` inside a function of the source is found to be."""

    def locate(manifest: Manifest, function: str, target: str = "target") -> int:
        sites = CallSites(manifest, str(tmp_path), run_developers_function.__code__)

        def call(*arguments: object, **keywords: object) -> int:
            frame: FrameType | None = sys._getframe(1)
            return sites.locate(frame, 0, target)

        helpers: dict[str, Callable[[object], object]] = {}
        exec(compile(HELPERS, str(tmp_path / "lib" / "helpers.py"), "exec"), helpers)  # noqa: S102 - the test's source
        source = SOURCE.replace("from helpers import helper_of_helper\n", "\n")
        names: dict[str, Callable[[], object]] = {
            "call": call,
            "helper_of_helper": helpers["helper_of_helper"],  # type: ignore[dict-item]
        }
        exec(compile(source, str(tmp_path / "app.py"), "exec"), names)  # noqa: S102 - the test's source
        edge = run_developers_function(names[function])
        assert isinstance(edge, int)
        return edge

    return locate


def line_of(text: str, nth: int = 1) -> int:
    lines = [number for number, line in enumerate(SOURCE.splitlines(), start=1) if text in line]
    return lines[nth - 1]


PLAIN = line_of("return call()")
MULTI = line_of("return call(", 2)
HELPER = line_of("return call()", 2)
BY_HELPER = line_of("return helper()")


def test_a_call_is_found_by_its_line(locate: Located) -> None:
    manifest = manifest_of([[("app.py", PLAIN, PLAIN)], [("app.py", MULTI, MULTI + 3)]])

    assert locate(manifest, "plain") == 0
    assert locate(manifest, "two_lines") == 1


def test_a_call_in_a_helper_is_found_by_the_way_to_it(locate: Located) -> None:
    manifest = manifest_of(
        [
            [
                ("app.py", line_of("return helper_of_helper"), line_of("return helper_of_helper")),
                ("app.py", HELPER, HELPER),
            ],
            [("app.py", BY_HELPER, BY_HELPER), ("app.py", HELPER, HELPER)],
        ]
    )

    assert locate(manifest, "by_helper") == 1
    assert locate(manifest, "by_two_helpers") == 0


def test_the_longest_way_that_fits_is_the_call(locate: Located) -> None:
    line = line_of("[0]")
    both = manifest_of(
        [
            [("app.py", line, line + 3), ("app.py", HELPER, HELPER)],
            [("app.py", line, line + 3), ("lib/helpers.py", 2, 2), ("app.py", HELPER, HELPER)],
        ]
    )
    # The second call on the line is repeated last, so its edge is what the source's function returns.
    assert locate(both, "first_of_two") == 0
    assert locate(both, "second_of_two") == 1


def test_frames_of_others_are_passed_over(locate: Located) -> None:
    line = line_of("list(map(")
    manifest = manifest_of([[("app.py", line, line), ("app.py", HELPER, HELPER)]])

    assert locate(manifest, "by_map") == 0


def test_a_decorator_between_is_passed_over(locate: Located) -> None:
    line = line_of("(lambda: call())()")
    assert locate(manifest_of([[("app.py", line, line)]]), "in_a_lambda") == 0


def test_a_call_that_the_analysis_did_not_see_is_refused(locate: Located) -> None:
    manifest = manifest_of([[("app.py", PLAIN, PLAIN)]])

    with pytest.raises(CallSiteError, match="found no call there") as caught:
        locate(manifest, "nowhere")

    assert caught.value.file == "app.py"
    assert caught.value.line == line_of("return call()", 3)
    assert caught.value.code == "unknown-call-site"


def test_the_helper_alone_is_not_the_way(locate: Located) -> None:
    manifest = manifest_of([[("app.py", PLAIN, PLAIN), ("app.py", HELPER, HELPER)]])

    with pytest.raises(CallSiteError):
        locate(manifest, "by_helper")


def test_a_call_of_another_function_than_the_analysis_saw_is_refused(locate: Located) -> None:
    manifest = manifest_of([[("app.py", PLAIN, PLAIN)]], ["other"])

    with pytest.raises(CallSiteError, match="found a call of other there"):
        locate(manifest, "plain")


def test_of_two_calls_on_one_line_the_called_function_decides(locate: Located) -> None:
    site = [("app.py", PLAIN, PLAIN)]

    assert locate(manifest_of([site, site], ["other", "target"]), "plain") == 1


def test_two_calls_that_cannot_be_told_apart_are_refused(locate: Located) -> None:
    site = [("app.py", PLAIN, PLAIN)]

    with pytest.raises(CallSiteError, match="more than one call"):
        locate(manifest_of([site, site]), "plain")


def test_a_call_from_outside_the_package_is_refused(tmp_path: Path) -> None:
    sites = CallSites(manifest_of([[("app.py", 1, 999)]]), str(tmp_path), run_developers_function.__code__)

    with pytest.raises(CallSiteError, match="a place outside the package") as caught:
        run_developers_function(functools.partial(sites.locate, sys._getframe(), 0, "target"))

    assert caught.value.file == ""


def test_a_root_behind_a_link_is_the_same_root(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    link = tmp_path / "link"
    link.symlink_to(real)
    sites = CallSites(manifest_of([[("app.py", 1, 1)]]), str(link), run_developers_function.__code__)
    names: dict[str, Callable[[], FrameType]] = {"frame": lambda: sys._getframe(1)}
    exec(compile("def get(): return frame()", str(real / "app.py"), "exec"), names)  # noqa: S102 - the test's source

    assert sites.locate(names["get"](), 0, "target") == 0
