"""The wheel of this program and those that it needs, made of what is installed here: no network, no compiler."""

from __future__ import annotations

import platform
import sys
import zipfile
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

import multi_x_serverless
from multi_x_serverless.model.config_types import Architecture

PACKAGE = Path(multi_x_serverless.__file__).parent
MACHINE = platform.machine()
ARCHITECTURE: Architecture = "arm64" if MACHINE == "aarch64" else "x86_64"
PLATFORM = f"manylinux_2_17_{MACHINE}"
NEEDED = ("numpy", "orjson", "platformdirs", "PyYAML", "urllib3")


def own_wheel(
    directory: Path,
    *,
    version: str | None = None,
    tag: str = f"cp310-abi3-{PLATFORM}",
    left_out: Iterable[str] = (),
    changed: Iterable[str] = (),
) -> Path:
    """The wheel of the running program as `make wheel` would build it.

    Args:
        version: What its name says; by default the version of the program.
        tag: What its name says of what it runs on.
        left_out: Files of the package that are missing, relative to it.
        changed: Files of the package that are not as they are here.
    """
    program = distribution("multi-x-serverless")
    files = {
        f"multi_x_serverless/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes()
        for path in sorted(PACKAGE.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }
    for name in left_out:
        del files[f"multi_x_serverless/{name}"]
    for name in changed:
        files[f"multi_x_serverless/{name}"] += b"# changed\n"
    return _write(directory, f"multi_x_serverless-{version or program.version}", tag, files, program)


def wheelhouse(directory: Path) -> Path:
    """Wheels of what the program needs on Lambda, for this interpreter and for Lambda's system."""
    for name in NEEDED:
        needed = distribution(name)
        files = {
            path.as_posix(): Path(str(path.locate())).read_bytes()
            for path in needed.files or ()
            if ".." not in path.parts and path.suffix != ".pyc" and not _is_of_installation(path.parts)
        }
        interpreter = f"cp3{sys.version_info.minor}"
        is_compiled = any(path.endswith(".so") for path in files)
        tag = f"{interpreter}-{interpreter}-{PLATFORM}" if is_compiled else "py3-none-any"
        _write(directory, f"{name.lower()}-{needed.version}", tag, files, needed)
    return directory


def _is_of_installation(parts: tuple[str, ...]) -> bool:
    return parts[0].endswith(".dist-info") and parts[-1] in {"INSTALLER", "RECORD", "REQUESTED", "WHEEL", "METADATA"}


def _write(directory: Path, stem: str, tag: str, files: dict[str, bytes], described: Distribution) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    information = f"{stem}.dist-info"
    # Files of the distribution's own directory move to one that is named like the wheel.
    members = {
        f"{information}/{name.partition('/')[2]}" if name.partition("/")[0].endswith(".dist-info") else name: body
        for name, body in files.items()
    }
    members[f"{information}/METADATA"] = (described.read_text("METADATA") or "").encode()
    members[f"{information}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    members[f"{information}/RECORD"] = "".join(f"{name},,\n" for name in [*members, f"{information}/RECORD"]).encode()
    wheel = directory / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return wheel
