"""The framework's deployment package: the wheel of this very version, and what it needs on Lambda's platform.

The wheel is the developer's (`--wheel`) or the package index's. Whichever it is, its Python files must be those of the
running program, byte for byte: what is put on a schedule is what was tried, and a wheel that somebody else published
under our name is refused. The engine in it is for Lambda's platform and cannot be compared; the deployment probes it.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import multi_x_serverless
from multi_x_serverless.deployment.packaging import Package, pack_files
from multi_x_serverless.deployment.requirements import REQUIREMENTS_FILE, Target, install_requirements
from multi_x_serverless.errors import DeploymentError
from multi_x_serverless.model.framework import DISTRIBUTION

if TYPE_CHECKING:
    from collections.abc import Iterator

LEFT_OUT = frozenset({"awslambdaric", "boto3", "click", "rich"})
"""Requirements that the functions do without: Lambda's runtime has those of AWS, the command line uses the others.

Of urllib3 the runtime has whichever version its boto3 came with, so the one that live data is asked by comes along.
"""

_PACKAGE = "multi_x_serverless"
_ENGINE = "_core"
_LEFT_OUT_DIRECTORIES = frozenset({"__pycache__", "bin", "sboms", "tests"})
_REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+")
_WHEEL = re.compile(
    r"(?P<name>[A-Za-z0-9_.]+)-(?P<version>[A-Za-z0-9_.!+]+)(-\d[^-]*)?-cp3(?P<minor>\d+)-(?P<abi>\w+)-(?P<platforms>[\w.]+)\.whl"
)
_MANYLINUX = re.compile(r"manylinux_2_(?P<glibc>\d+)_(?P<machine>\w+)")
_OLD_NAME = "manylinux2014_"  # another name of manylinux_2_17


def build_framework_package(target: Target, wheel: Path | None, *, cache: Path) -> Package:
    """Build the package.

    Args:
        target: What the functions run on.
        wheel: The wheel of this version for that; looked for in the package index if `None`.
        cache: Where installed requirements are kept.

    Raises:
        DeploymentError: The wheel is not the right one, what it needs cannot be installed, or all of it is too large.
    """
    with tempfile.TemporaryDirectory(prefix="multi-x-serverless-") as scratch:
        directory = Path(scratch)
        found = _download(target, directory / "wheel") if wheel is None else wheel
        check_wheel(found, target)
        unpacked = directory / "unpacked"
        _unpack(found, unpacked)
        _check_contents(found, unpacked)
        needed = directory / "needed"
        needed.mkdir()
        (needed / REQUIREMENTS_FILE).write_text("\n".join(_requirements(unpacked)) + "\n", encoding="utf-8")
        installed = install_requirements(needed, target, cache)
        files = {} if installed is None else dict(_files(installed))
        files.update(_files(unpacked))
        return pack_files(files)


@dataclass(frozen=True)
class _WheelName:
    """What the name of a wheel says.

    Attributes:
        minor: Oldest minor version of Python 3 that it is for.
        platforms: What it runs on, of which one is enough.
    """

    name: str
    version: str
    minor: int
    abi: str
    platforms: tuple[str, ...]


def check_wheel(wheel: Path, target: Target) -> None:
    """Check by its name that a wheel is of this version and runs on a target.

    Raises:
        DeploymentError: It is not or does not; the message says what to build.
    """
    named = _read_name(wheel)
    mine = version(DISTRIBUTION)
    if named.name.replace("_", "-").lower() != DISTRIBUTION:
        raise _refuse(wheel, f"it is a wheel of '{named.name}'", target)
    if named.version != mine:
        raise _refuse(wheel, f"it is of version {named.version} and this program of version {mine}", target)
    if named.abi != "abi3" or named.minor > target.python_minor:
        raise _refuse(wheel, f"it is no abi3 wheel that runs on {target.runtime}", target)
    if not any(_runs_on(platform, target) for platform in named.platforms):
        raise _refuse(wheel, f"it is for {' and '.join(named.platforms)}", target)
    if not wheel.is_file():
        raise DeploymentError(f"there is no file '{wheel}'. Nothing was deployed.")


def _read_name(wheel: Path) -> _WheelName:
    found = _WHEEL.fullmatch(wheel.name)
    if found is None:
        raise DeploymentError(
            f"'{wheel.name}' is not named like a wheel of CPython; 'make wheels' builds one into dist/. "
            "Nothing was deployed."
        )
    return _WheelName(
        found["name"], found["version"], int(found["minor"]), found["abi"], tuple(found["platforms"].split("."))
    )


def _runs_on(platform: str, target: Target) -> bool:
    """Whether a wheel's platform is Lambda's or an older one of the same machine."""
    newest = max((_glibc_of(own) for own in target.platforms), key=lambda entry: entry[0])
    glibc, machine = _glibc_of(platform)
    return machine == newest[1] and glibc <= newest[0]


def _glibc_of(platform: str) -> tuple[int, str]:
    """Minor version of the C library 2 that a platform asks for, and its machine; no machine if it is no manylinux."""
    if platform.startswith(_OLD_NAME):
        return 17, platform.removeprefix(_OLD_NAME)
    found = _MANYLINUX.fullmatch(platform)
    return (0, "") if found is None else (int(found["glibc"]), found["machine"])


def _refuse(wheel: Path, problem: str, target: Target) -> DeploymentError:
    return DeploymentError(
        f"'{wheel.name}' cannot be deployed for {target.runtime} on {target.architecture}: {problem}; 'make wheels' "
        "builds the right one into dist/. Nothing was deployed."
    )


def _download(target: Target, directory: Path) -> Path:
    """The wheel of this version from the package index."""
    mine = version(DISTRIBUTION)
    way_out = f"build it ('make wheels' in a checkout of version {mine}) and name it with --wheel"
    if importlib.util.find_spec("pip") is None:
        raise DeploymentError(
            f"there is no pip to get the wheel of version {mine} from the package index; install pip, or {way_out}. "
            "Nothing was deployed."
        )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:", "--implementation", "cp"]
    command += ["--python-version", f"3.{target.python_minor}"]
    for platform in target.platforms:
        command += ["--platform", platform]
    process = subprocess.run(
        [*command, "--dest", str(directory), f"{DISTRIBUTION}=={mine}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    wheels = sorted(directory.glob("*.whl")) if directory.is_dir() else []
    if process.returncode or len(wheels) != 1:
        said = [line for line in process.stdout.splitlines() if line.strip()][-1:]
        raise DeploymentError(
            f"the package index has no wheel of version {mine} for {target.runtime} on {target.architecture}: "
            f"{way_out}. Nothing was deployed. pip says: {''.join(said)}"
        )
    return wheels[0]


def _unpack(wheel: Path, directory: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(directory)
    except (OSError, zipfile.BadZipFile) as error:
        raise DeploymentError(f"'{wheel}' cannot be unpacked ({error}). Nothing was deployed.") from error


def _check_contents(wheel: Path, unpacked: Path) -> None:
    """The wheel holds the program that runs here, but for the engine, and an engine.

    Raises:
        DeploymentError: It holds another program, or no engine.
    """
    mine, others = _program(Path(multi_x_serverless.__file__).parent), _program(unpacked / _PACKAGE)
    different = sorted(name for name in mine.keys() | others.keys() if mine.get(name) != others.get(name))
    if different:
        shown = ", ".join(different[:3]) + (", ..." if len(different) > 3 else "")
        raise DeploymentError(
            f"'{wheel.name}' holds another program than the one that runs here, although the version is the same: "
            f"{len(different)} files differ ({shown}); build it anew ('make wheels'). Nothing was deployed."
        )
    if not list((unpacked / _PACKAGE).glob(f"{_ENGINE}*.so")):
        raise DeploymentError(
            f"'{wheel.name}' holds no native engine; build it with 'make wheels'. Nothing was deployed."
        )


def _program(package: Path) -> dict[str, bytes]:
    """The files of a package of ours but the engine, by name."""
    return {
        name: path.read_bytes()
        for name, path in _files(package)
        if not (name.startswith(f"{_ENGINE}.") and name.endswith((".so", ".pyd")))
    }


def _requirements(unpacked: Path) -> list[str]:
    """What the wheel needs on Lambda, as lines of a requirements file."""
    [metadata] = unpacked.glob("*.dist-info/METADATA")
    required = Parser().parsestr(metadata.read_text(encoding="utf-8")).get_all("Requires-Dist", [])
    return [line for line in required if "extra ==" not in line and _name_of(line) not in LEFT_OUT]


def _name_of(requirement: str) -> str:
    found = _REQUIREMENT.match(requirement)
    return "" if found is None else re.sub(r"[-_.]+", "-", found.group()).lower()


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """Files that go into the package, with their names; tests of dependencies stay out (8 MB of numpy's 62)."""
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        is_left_out = not _LEFT_OUT_DIRECTORIES.isdisjoint(relative.parts[:-1]) or path.suffix in {".pyc", ".pyo"}
        if path.is_file() and not is_left_out:
            yield relative.as_posix(), path
