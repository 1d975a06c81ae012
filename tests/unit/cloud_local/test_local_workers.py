"""Functions in worker processes: what they find, what limits them, what becomes of what they print."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from multi_x_serverless.cloud.local import LocalCloud, LocalSettings
from multi_x_serverless.errors import CloudError
from tests.unit.cloud_local.local_functions import (
    HOME,
    REGIONS,
    deploy,
    invoke,
    log_lines,
    package,
    process_is_alive,
    wait_for,
)

PROCESS_ID = """
import os
def handler(event, context):
    return os.getpid()
"""


def test_the_environment_is_lambdas_and_nothing_leaks_into_it(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret of the user")
    monkeypatch.setenv("SOMETHING_ELSE", "of the user")
    source = """
import os, sys
def handler(event, context):
    return {"environment": dict(os.environ), "path": sys.path, "directory": os.getcwd(),
            "remaining": context.get_remaining_time_in_millis(), "arn": context.invoked_function_arn}
"""
    deploy(cloud, "look", source, environment={"GREETING": "hello"}, timeout_s=7)
    seen = json.loads(invoke(cloud, "look"))
    environment = seen["environment"]
    expected = {
        "GREETING": "hello",
        "AWS_REGION": HOME,
        "AWS_LAMBDA_FUNCTION_NAME": "look",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "_HANDLER": "app.handler",
        "LAMBDA_TASK_ROOT": seen["directory"],
        "MULTI_X_SERVERLESS_CLOUD": "local",
    }
    assert expected.items() <= environment.items()
    assert environment["MULTI_X_SERVERLESS_LOCAL_ENDPOINT"].startswith("http://127.0.0.1:")
    assert environment["MULTI_X_SERVERLESS_LOCAL_TOKEN"]
    assert not {"AWS_SECRET_ACCESS_KEY", "SOMETHING_ELSE", "PYTEST_CURRENT_TEST"} & set(environment)
    assert environment["HOME"] != os.environ.get("HOME")
    assert 0 < seen["remaining"] <= 7000
    assert seen["arn"].endswith(":function:look")
    assert not [entry for entry in seen["path"] if "site-packages" in entry]


def test_only_what_lambda_has_can_be_imported_unless_asked_for(open_cloud: Callable[..., LocalCloud]) -> None:
    source = """
import importlib.util
def handler(event, context):
    return [importlib.util.find_spec(name) is not None for name in ("boto3", "pytest", "multi_x_serverless")]
"""
    with open_cloud() as cloud:
        deploy(cloud, "look", source)
        assert json.loads(invoke(cloud, "look")) == [True, False, False]
    everything = open_cloud(settings=LocalSettings(visible_packages="all"))
    assert json.loads(invoke(everything, "look"))[:2] == [True, True]


def test_a_worker_is_used_again_until_the_function_changes(cloud: LocalCloud) -> None:
    deploy(cloud, "pid", PROCESS_ID)
    first = invoke(cloud, "pid")
    assert invoke(cloud, "pid") == first
    deploy(cloud, "pid", PROCESS_ID, memory_mb=512)
    second = invoke(cloud, "pid")
    assert second != first
    assert wait_for(lambda: not process_is_alive(int(first)))
    deploy(cloud, "pid", "def handler(event, context):\n    return 'new code'\n")
    assert invoke(cloud, "pid") == b'"new code"'


def test_functions_start_when_the_state_directory_is_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with LocalCloud(Path("state"), regions=REGIONS, time_scale=0.0) as cloud:
        deploy(cloud, "pid", PROCESS_ID)
        assert int(invoke(cloud, "pid")) != os.getpid()


def test_regions_have_workers_of_their_own(cloud: LocalCloud) -> None:
    source = "import os\ndef handler(event, context):\n    return [os.environ['AWS_REGION'], os.getpid()]\n"
    answers = []
    for region in ("us-east-1", "us-west-2"):
        deploy(cloud, "where", source, region=region)
        answers.append(json.loads(invoke(cloud, "where", region=region)))
    assert [answer[0] for answer in answers] == ["us-east-1", "us-west-2"]
    assert answers[0][1] != answers[1][1]


def test_the_least_recently_used_worker_makes_room(open_cloud: Callable[..., LocalCloud]) -> None:
    cloud = open_cloud(settings=LocalSettings(maximum_workers=2))
    pids = {}
    for name in ("one", "two", "three"):
        deploy(cloud, name, PROCESS_ID)
        pids[name] = invoke(cloud, name)
        if name == "two":
            assert invoke(cloud, "one") == pids["one"]
    assert invoke(cloud, "one") == pids["one"]
    assert invoke(cloud, "three") == pids["three"]
    assert not process_is_alive(int(pids["two"]))
    assert invoke(cloud, "two") != pids["two"]


def test_a_function_that_takes_too_long_is_killed(cloud: LocalCloud) -> None:
    source = """
import os, time
def handler(event, context):
    if event:
        print("pid", os.getpid(), flush=True)
        time.sleep(60)
    return os.getpid()
"""
    deploy(cloud, "slow", source, timeout_s=1)
    result = cloud.functions.invoke(HOME, "slow", b"[1]", timeout_s=30)
    assert result.error is not None
    assert "timed out after 1.00 seconds" in result.error
    assert result.duration_s >= 1.0
    started, said = log_lines(cloud, "slow")
    assert "Task timed out after 1.00 seconds" in said
    assert not process_is_alive(int(started.split()[1]))
    assert int(invoke(cloud, "slow", b"[]")) != int(started.split()[1])


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("os._exit(7)", "exit status 7"),
        ("raise SystemExit(3)", "exit status 3"),
        ("os.kill(os.getpid(), 9)", "signal: SIGKILL"),
    ],
)
def test_a_function_that_ends_its_process_is_an_error(cloud: LocalCloud, statement: str, expected: str) -> None:
    source = f"import os\ndef handler(event, context):\n    print('last words')\n    {statement}\n"
    deploy(cloud, "exits", source)
    result = cloud.functions.invoke(HOME, "exits", b"{}", timeout_s=30)
    assert result.error is not None
    assert expected in result.error
    assert log_lines(cloud, "exits")[0] == "last words"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is watched through /proc")
def test_a_function_that_takes_too_much_memory_is_killed(cloud: LocalCloud) -> None:
    source = """
import time
def handler(event, context):
    block = bytearray(200 * 1024 * 1024)
    time.sleep(30)
"""
    deploy(cloud, "hungry", source, memory_mb=128)
    result = cloud.functions.invoke(HOME, "hungry", b"{}", timeout_s=30)
    assert result.error is not None
    assert "OutOfMemory" in result.error
    assert any("of 128 MB" in line for line in log_lines(cloud, "hungry"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process's addresses")
def test_a_runaway_allocation_is_refused_at_once(cloud: LocalCloud) -> None:
    source = "def handler(event, context):\n    return len(bytearray(20 * 1024 ** 3))\n"
    deploy(cloud, "runaway", source, memory_mb=128)
    result = cloud.functions.invoke(HOME, "runaway", b"{}", timeout_s=30)
    assert result.error is not None
    assert "MemoryError" in result.error


@pytest.mark.parametrize(
    ("source", "handler", "expected"),
    [
        ("import no_such_module\n", "app.handler", "No module named 'no_such_module'"),
        ("def handler(event, context:\n", "app.handler", "Syntax error"),
        ("x = 1\n", "app.handler", "missing on module"),
        ("raise RuntimeError('at import')\n", "app.handler", "at import"),
        ("import os\nos._exit(5)\n", "app.handler", "exit status 5"),
    ],
    ids=["import", "syntax", "handler", "raises", "exits"],
)
def test_a_function_that_does_not_start_says_why(cloud: LocalCloud, source: str, handler: str, expected: str) -> None:
    deploy(cloud, "broken", source, handler=handler)
    result = cloud.functions.invoke(HOME, "broken", b"{}", timeout_s=30)
    assert result.error is not None
    assert expected in result.error


def test_initialisation_has_a_limit(open_cloud: Callable[..., LocalCloud]) -> None:
    cloud = open_cloud(settings=LocalSettings(initialisation_timeout_s=0.3))
    deploy(cloud, "stuck", "import time\ntime.sleep(60)\n")
    result = cloud.functions.invoke(HOME, "stuck", b"{}", timeout_s=30)
    assert result.error is not None
    assert "initialisation took longer" in result.error


def test_a_deep_traceback_is_an_error_like_any_other(cloud: LocalCloud) -> None:
    source = """
import os
def fall_through_a_function_with_quite_a_long_name_so_that_the_report_is_long(n):
    return fall_through_a_function_with_quite_a_long_name_so_that_the_report_is_long(n + 1)
def handler(event, context):
    return fall_through_a_function_with_quite_a_long_name_so_that_the_report_is_long(0) if event else os.getpid()
"""
    deploy(cloud, "deep", source)
    before = invoke(cloud, "deep", b"[]")
    result = cloud.functions.invoke(HOME, "deep", b"[1]", timeout_s=30)
    assert result.error is not None
    assert result.error.startswith("RecursionError: ")
    assert invoke(cloud, "deep", b"[]") == before


def test_an_answer_that_is_too_large_is_refused(cloud: LocalCloud) -> None:
    deploy(cloud, "large", "def handler(event, context):\n    return 'x' * event\n")
    assert len(invoke(cloud, "large", b"6000000")) == 6_000_002
    result = cloud.functions.invoke(HOME, "large", b"7000000", timeout_s=30)
    assert result.error is not None
    assert "ResponseSizeTooLarge" in result.error


def test_a_payload_that_is_too_large_is_refused(cloud: LocalCloud) -> None:
    deploy(cloud, "pid", PROCESS_ID)
    assert invoke(cloud, "pid", b'"' + b"x" * 5_000_000 + b'"')
    with pytest.raises(CloudError, match="at most"):
        cloud.functions.invoke(HOME, "pid", b"x" * 6_291_457, timeout_s=30)


def test_everything_printed_is_in_the_log_when_the_answer_is(cloud: LocalCloud) -> None:
    source = """
import logging, os, subprocess, sys
def handler(event, context):
    print("on stdout")
    print("on stderr", file=sys.stderr)
    logging.warning("by logging")
    sys.stdout.write("first half, ")
    sys.stdout.write("second half\\n\\n")
    os.write(1, b"raw \\xff bytes\\n")
    subprocess.run(["echo", "from a child"])
    print("x" * 300000)
    for index in range(event):
        print("line", index)
    sys.stdout.write("without an end")
    return 1
"""
    deploy(cloud, "talks", source)
    invoke(cloud, "talks", b"2000")
    lines = log_lines(cloud, "talks")
    assert lines[:2] == ["on stdout", "on stderr"]
    assert "by logging" in lines[2]
    assert lines[3:6] == ["first half, second half", "raw \ufffd bytes", "from a child"]
    assert [len(line) for line in lines[6:8]] == [262144, 300000 - 262144]
    assert lines[8:] == [*(f"line {index}" for index in range(2000)), "without an end"]


def test_a_traceback_is_one_entry_of_the_log(cloud: LocalCloud) -> None:
    deploy(cloud, "fails", "def handler(event, context):\n    raise KeyError('gone')\n")
    assert cloud.functions.invoke(HOME, "fails", b"{}", timeout_s=30).error == "KeyError: 'gone'"
    [entry] = log_lines(cloud, "fails")
    assert "KeyError" in entry
    assert "Traceback" in entry


def test_a_waiting_caller_can_give_up(cloud: LocalCloud) -> None:
    deploy(cloud, "slow", "import time\ndef handler(event, context):\n    time.sleep(3)\n")
    with pytest.raises(CloudError, match=r"no answer within 0\.2 s") as caught:
        cloud.functions.invoke(HOME, "slow", b"{}", timeout_s=0.2)
    assert caught.value.retryable


def test_a_deleted_function_ends_its_worker(cloud: LocalCloud) -> None:
    deploy(cloud, "pid", PROCESS_ID)
    process_id = int(invoke(cloud, "pid"))
    cloud.functions.delete_function(HOME, "pid")
    assert not process_is_alive(process_id)


def test_closing_ends_workers_and_their_children_and_cleans_up(
    open_cloud: Callable[..., LocalCloud], state_dir: Path
) -> None:
    source = """
import os, subprocess
def handler(event, context):
    child = subprocess.Popen(["sleep", "300"])
    return [os.getpid(), child.pid]
"""
    with open_cloud() as cloud:
        deploy(cloud, "parent", source)
        process_ids = json.loads(invoke(cloud, "parent"))
        assert all(map(process_is_alive, process_ids))
    assert wait_for(lambda: not any(map(process_is_alive, process_ids)))
    assert list((state_dir / "workers").iterdir()) == []
    with pytest.raises(CloudError, match="closed"):
        cloud.functions.invoke(HOME, "parent", b"{}", timeout_s=5)


def test_packages_are_unzipped_once_and_swept_when_unused(
    open_cloud: Callable[..., LocalCloud], state_dir: Path
) -> None:
    with open_cloud() as cloud:
        deploy(cloud, "pid", PROCESS_ID)
        deploy(cloud, "pid", PROCESS_ID, region="us-west-2")
        assert len(list((state_dir / "packages").iterdir())) == 1
        assert package(PROCESS_ID) == package(PROCESS_ID)
        for region in ("us-east-1", "us-west-2"):
            cloud.functions.delete_function(region, "pid")
    with open_cloud():
        assert list((state_dir / "packages").iterdir()) == []


def test_code_that_vanished_from_the_cache_is_unzipped_again(
    open_cloud: Callable[..., LocalCloud], state_dir: Path
) -> None:
    with open_cloud() as cloud:
        deploy(cloud, "pid", PROCESS_ID)
    for path in (state_dir / "packages").iterdir():
        path.rename(state_dir / "elsewhere")
    cloud = open_cloud()
    assert int(invoke(cloud, "pid")) > 0
