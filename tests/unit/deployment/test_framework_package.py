"""The framework's package: from the right wheel only, no larger than need be, and it runs by itself."""

from __future__ import annotations

import io
import json
import os
import platform
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from multi_x_serverless.deployment.framework_package import build_framework_package, check_wheel
from multi_x_serverless.deployment.packaging import MAXIMUM_UNZIPPED_BYTES, Package
from multi_x_serverless.deployment.requirements import Target
from multi_x_serverless.errors import DeploymentError
from tests.framework_wheels import ARCHITECTURE, PLATFORM, own_wheel, wheelhouse
from tests.unit.core.documents import dump, fan_out_problem

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="the engine that is packed is this machine's")

HERE = Target(sys.version_info.minor, ARCHITECTURE, is_this_machine=False)
LAMBDA = Target(13, "x86_64", is_this_machine=False)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The only place that packages come from."""
    directory = wheelhouse(tmp_path_factory.mktemp("wheels"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PIP_NO_INDEX", "1")
        environment.setenv("PIP_FIND_LINKS", str(directory))
        environment.setenv("PIP_CONFIG_FILE", os.devnull)
        yield directory


@pytest.fixture(scope="module")
def package(index: Path, tmp_path_factory: pytest.TempPathFactory) -> Package:
    directory = tmp_path_factory.mktemp("package")
    return build_framework_package(HERE, own_wheel(directory), cache=directory / "cache")


def names(package: Package) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(package.body)) as archive:
        return archive.namelist()


PROGRAM = """
import json, sys
sys.path[:] = [path for path in sys.path if "site-packages" not in path and path not in ("", sys.argv[3])]
sys.path.insert(0, sys.argv[1])
from multi_x_serverless.adaptation import framework_handler
from multi_x_serverless.solving.engine import solve_problem
solution = solve_problem(open(sys.argv[2], "rb").read(), "fine-grained")
left = {"boto3", "click", "rich", "awslambdaric"} & {name.partition(".")[0] for name in sys.modules}
print(json.dumps({
    "probe": framework_handler.handler({"multi_x_serverless_probe": "n"}, None),
    "hours": len(solution.hours),
    "places": sorted({module.__file__.startswith(sys.argv[1]) for name, module in sys.modules.items()
                      if name.partition(".")[0] in ("numpy", "orjson", "yaml", "multi_x_serverless")
                      and getattr(module, "__file__", None)}),
    "left": sorted(left),
}))
"""


def test_the_handler_and_the_engine_run_from_the_unpacked_package_alone(package: Package, tmp_path: Path) -> None:
    root = tmp_path / "task"
    with zipfile.ZipFile(io.BytesIO(package.body)) as archive:
        archive.extractall(root)
    problem = tmp_path / "problem.json"
    problem.write_bytes(dump(fan_out_problem()))
    ended = subprocess.run(
        [sys.executable, "-S", "-I", "-c", PROGRAM, str(root), str(problem), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={},
        cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    answer = json.loads(ended.stdout)
    assert answer["probe"]["probe"] == "n"
    assert answer["probe"]["engine"].startswith(answer["probe"]["program"])
    assert answer["hours"] == 2
    assert answer["places"] == [True], "nothing of this environment was used"
    assert answer["left"] == []


def test_equal_input_gives_equal_bytes(package: Package, index: Path, tmp_path: Path) -> None:
    again = build_framework_package(HERE, own_wheel(tmp_path), cache=tmp_path / "cache")
    assert again.sha256 == package.sha256


def test_what_lambda_has_and_what_only_the_command_line_needs_stay_out(package: Package) -> None:
    top = {name.partition("/")[0] for name in names(package)}
    assert top >= {"multi_x_serverless", "numpy", "orjson", "yaml", "platformdirs", "urllib3"}
    assert not top & {"boto3", "botocore", "click", "rich", "awslambdaric", "bin"}
    assert not [name for name in names(package) if "/tests/" in name or name.endswith(".pyc")]
    assert any(name.startswith("multi_x_serverless/_core") for name in names(package))
    assert package.unzipped_bytes < MAXIMUM_UNZIPPED_BYTES / 2


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("other-0.1.0-cp310-abi3-manylinux_2_17_x86_64.whl", "a wheel of 'other'"),
        ("multi_x_serverless-9.9.9-cp310-abi3-manylinux_2_17_x86_64.whl", "of version 9.9.9 and this program"),
        ("multi_x_serverless-0.1.0-cp313-cp313-manylinux_2_17_x86_64.whl", "no abi3 wheel that runs on python3.13"),
        ("multi_x_serverless-0.1.0-cp314-abi3-manylinux_2_17_x86_64.whl", "no abi3 wheel that runs on python3.13"),
        ("multi_x_serverless-0.1.0-cp310-abi3-manylinux_2_17_aarch64.whl", "is for manylinux_2_17_aarch64"),
        ("multi_x_serverless-0.1.0-cp310-abi3-manylinux_2_39_x86_64.whl", "is for manylinux_2_39_x86_64"),
        ("multi_x_serverless-0.1.0-cp310-abi3-linux_x86_64.whl", "is for linux_x86_64"),
        ("multi_x_serverless-0.1.0-cp310-abi3-macosx_11_0_arm64.whl", "is for macosx_11_0_arm64"),
    ],
)
def test_a_wheel_that_does_not_fit_is_refused_with_what_to_build(tmp_path: Path, name: str, problem: str) -> None:
    wheel = tmp_path / name
    wheel.write_bytes(b"")
    with pytest.raises(DeploymentError, match=rf"{problem}.*'make wheels' builds the right one.*Nothing was deployed"):
        check_wheel(wheel, LAMBDA)


@pytest.mark.parametrize(
    "platforms",
    [
        "manylinux_2_17_x86_64",
        "manylinux2014_x86_64",
        "manylinux_2_34_x86_64",
        "manylinux_2_31_x86_64",
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
    ],
)
def test_a_wheel_for_lambdas_system_or_an_older_one_is_taken(tmp_path: Path, platforms: str) -> None:
    wheel = own_wheel(tmp_path, tag=f"cp310-abi3-{platforms}")
    check_wheel(wheel, LAMBDA)


def test_a_file_that_is_no_wheel_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="not named like a wheel"):
        check_wheel(tmp_path / "program.zip", LAMBDA)
    with pytest.raises(DeploymentError, match="there is no file"):
        check_wheel(tmp_path / own_wheel(tmp_path / "elsewhere").name, HERE)
    broken = tmp_path / own_wheel(tmp_path / "elsewhere").name
    broken.write_bytes(b"not a zip")
    with pytest.raises(DeploymentError, match="cannot be unpacked"):
        build_framework_package(HERE, broken, cache=tmp_path / "cache")


def test_a_wheel_of_another_program_of_the_same_version_is_refused(tmp_path: Path) -> None:
    for number, (left_out, changed, named) in enumerate(
        [((), ("errors.py",), "errors.py"), (("data/README.md",), (), "data/README.md")]
    ):
        wheel = own_wheel(tmp_path / str(number), left_out=left_out, changed=changed)
        with pytest.raises(DeploymentError, match=rf"1 files differ \({named}\); build it anew"):
            build_framework_package(HERE, wheel, cache=tmp_path / "cache")


def test_a_wheel_without_the_engine_is_refused(tmp_path: Path) -> None:
    wheel = own_wheel(tmp_path, left_out=("_core.abi3.so",))
    with pytest.raises(DeploymentError, match="no native engine"):
        build_framework_package(HERE, wheel, cache=tmp_path / "cache")


def test_without_a_wheel_the_package_index_is_asked(
    index: Path, package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DeploymentError, match=r"the package index has no wheel of version .*--wheel.*pip says: ERROR"):
        build_framework_package(HERE, None, cache=tmp_path / "cache")
    published = own_wheel(tmp_path / "published")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{index} {published.parent}")
    assert build_framework_package(HERE, None, cache=tmp_path / "cache").sha256 == package.sha256


def test_without_pip_there_is_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DeploymentError, match=r"no pip .*--wheel"):
        build_framework_package(HERE, None, cache=tmp_path / "cache")


def test_wheels_of_this_machine_are_named_for_lambda() -> None:
    assert PLATFORM in HERE.platforms
