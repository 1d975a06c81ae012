"""Tracebacks without the frames of the SDK and of the runtime client."""

from __future__ import annotations

import traceback

import pytest

from multi_x_serverless.observation.tracebacks import developers_part

LOCAL = "/home/me/.local/state/packages/" + "0a" * 32
AWS = "/var/task"


def lines(text: str, package: str = AWS) -> tuple[str, ...]:
    return tuple(text.replace("PACKAGE", package).strip("\n").split("\n"))


RAISED = """
[ERROR] ValueError: bad
Traceback (most recent call last):
  File "/var/lang/lib/python3.11/site-packages/awslambdaric/bootstrap.py", line 188, in handle
    response = handler(event)
  File "PACKAGE/multi_x_serverless/sdk/application.py", line 202, in <listcomp>
    return [deliver(message)
            ^^^^^^^^^^^^^^^^
  File "PACKAGE/multi_x_serverless/sdk/application.py", line 215, in _deliver
    run_node(node)
  [Previous line repeated 3 more times]
  File "PACKAGE/app.py", line 12, in resize
    helpers.fail()
  File "PACKAGE/shop/helpers.py", line 3, in fail
    raise ValueError("bad")
"""

MISSING = """
Traceback (most recent call last):
  File "PACKAGE/multi_x_serverless/sdk/objects.py", line 68, in read
    body = backend.get_object(key)
           ^^^^^^^^^^^^^^^^^^^^^^^
multi_x_serverless.sdk.errors.ObjectNotFoundError: there is no object 'objects/x'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "PACKAGE/app.py", line 5, in resize
    workflow.read_object("x")
  File "PACKAGE/multi_x_serverless/sdk/workflow.py", line 249, in read_object
    return self._running().read_object(key)
multi_x_serverless.sdk.errors.ObjectNotFoundError: there is no object 'x'
"""

CAUGHT = """
Traceback (most recent call last):
  File "PACKAGE/app.py", line 5, in resize
    workflow.read_object("x")
  File "PACKAGE/multi_x_serverless/sdk/workflow.py", line 249, in read_object
    return self._running().read_object(key)
multi_x_serverless.sdk.errors.ObjectNotFoundError: there is no object 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "PACKAGE/app.py", line 7, in resize
    raise KeyError("x")
KeyError: 'x'
"""


@pytest.mark.parametrize("package", [LOCAL, AWS])
def test_the_developers_frames_are_left_with_paths_of_the_package(package: str) -> None:
    assert developers_part(lines(RAISED, package)) == lines("""
[ERROR] ValueError: bad
Traceback (most recent call last):
  File "app.py", line 12, in resize
    helpers.fail()
  File "shop/helpers.py", line 3, in fail
    raise ValueError("bad")
""")


@pytest.mark.parametrize("package", [LOCAL, AWS])
def test_what_the_sdk_raised_is_told_once_by_the_line_that_called_it(package: str) -> None:
    assert developers_part(lines(MISSING, package)) == lines("""
Traceback (most recent call last):
  File "app.py", line 5, in resize
    workflow.read_object("x")
multi_x_serverless.sdk.errors.ObjectNotFoundError: there is no object 'x'
""")


def test_a_cause_in_the_developers_code_stays() -> None:
    shown = developers_part(lines(CAUGHT))
    assert [line for line in shown if "File" in line] == [
        '  File "app.py", line 5, in resize',
        '  File "app.py", line 7, in resize',
    ]
    assert "During handling of the above exception, another exception occurred:" in shown
    assert not any("sdk/workflow.py" in line or "_running" in line for line in shown)


def test_what_has_no_other_frames_is_shown_whole() -> None:
    whole = lines("""
Traceback (most recent call last):
  File "multi_x_serverless/sdk/application.py", line 202, in handle
    return envelope["run"]
KeyError: 'run'
""")
    assert developers_part(whole) == whole


GROUP = """
  + Exception Group Traceback (most recent call last):
  |   File "PACKAGE/multi_x_serverless/sdk/execution.py", line 43, in call
  |     return function()
  |            ^^^^^^^^^^
  |   [Previous line repeated 3 more times]
  |   File "PACKAGE/app.py", line 3, in first
  |     raise ExceptionGroup("two", errors)
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "PACKAGE/app.py", line 5, in first
    |     workflow.read_object("x")
    |   File "PACKAGE/multi_x_serverless/sdk/workflow.py", line 249, in read_object
    |     return self._running().read_object(key)
    | multi_x_serverless.sdk.errors.ObjectNotFoundError: there is no object 'x'
    +---------------- 2 ----------------
    | ValueError: bad
    +------------------------------------
"""


@pytest.mark.parametrize("package", [LOCAL, AWS])
def test_in_a_group_too_the_developers_frames_are_left(package: str) -> None:
    assert developers_part(lines("[ERROR] ExceptionGroup: two" + GROUP, package)) == lines("""
[ERROR] ExceptionGroup: two
  + Exception Group Traceback (most recent call last):
  |   File "app.py", line 3, in first
  |     raise ExceptionGroup("two", errors)
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "app.py", line 5, in first
    |     workflow.read_object("x")
    | multi_x_serverless.sdk.errors.ObjectNotFoundError: there is no object 'x'
    +---------------- 2 ----------------
    | ValueError: bad
    +------------------------------------
""")


def test_libraries_and_what_is_no_frame_stay() -> None:
    text = lines("""
  a line that was cut from its frame
  File "/opt/python/site-packages/multi_x_serverless_helpers/sdk.py", line 3, in f
    g()
  File "/usr/lib/python3.11/json/decoder.py", line 3, in decode
    scan()
json.JSONDecodeError: no
""")
    assert developers_part(text) == text
    assert developers_part(()) == ()


def test_a_real_traceback_of_a_frame_repeated_is_left_alone() -> None:
    def again(depth: int) -> None:
        if depth:
            again(depth - 1)
        raise ValueError("deep")

    with pytest.raises(ValueError, match="deep") as raised:
        again(20)
    text = tuple("".join(traceback.format_exception(raised.value)).rstrip("\n").split("\n"))
    assert any("Previous line repeated" in line for line in text)
    assert developers_part(text) == text
