"""The developer's requirements, installed into a directory for the platform that the functions run on.

On AWS wheels for Lambda's platform are taken, whatever this machine is, so nothing is compiled and no
container is needed; on the embedded cloud functions run on this machine and so do their requirements.
Directories are kept under a digest of requirements and platform: equal requirements are resolved once, and
give equal packages ever after.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from multi_x_serverless.errors import DeploymentError

if TYPE_CHECKING:
    from multi_x_serverless.model.config_types import Architecture

REQUIREMENTS_FILE = "requirements.txt"

# The SDK is packed by us; the whole product would bring its own dependencies into every function.
_OWN_PACKAGE = "multi-x-serverless"
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_LINES_SHOWN = 12

# Oldest C library of the wheels that run on a runtime: up to Python 3.11 Amazon Linux 2 (glibc 2.26), from
# 3.12 on Amazon Linux 2023 (glibc 2.34). AWS Lambda developer guide, "Lambda runtimes".
_FIRST_MINOR_ON_AMAZON_LINUX_2023 = 12
_OLD_PLATFORMS = ("manylinux2014", "manylinux_2_17")
_NEW_PLATFORMS = (*_OLD_PLATFORMS, "manylinux_2_28", "manylinux_2_34")


@dataclass(frozen=True)
class Target:
    """What functions run on.

    Attributes:
        python_minor: Minor version of Python 3.
        architecture: Instruction set.
        is_this_machine: Whether functions run here (embedded cloud) and not on Lambda.
    """

    python_minor: int
    architecture: Architecture
    is_this_machine: bool

    @property
    def runtime(self) -> str:
        """Lambda's name of the runtime."""
        return f"python3.{self.python_minor}"

    @property
    def platforms(self) -> tuple[str, ...]:
        """Tags of the wheels that run on Lambda."""
        machine = "aarch64" if self.architecture == "arm64" else "x86_64"
        is_new = self.python_minor >= _FIRST_MINOR_ON_AMAZON_LINUX_2023
        return tuple(f"{platform}_{machine}" for platform in (_NEW_PLATFORMS if is_new else _OLD_PLATFORMS))


def install_requirements(project: Path, target: Target, cache: Path) -> Path | None:
    """A directory with all that `requirements.txt` asks for, `None` if it asks for nothing.

    Raises:
        DeploymentError: The requirements cannot be installed; the message ends with the installer's own
            words.
    """
    file = project / REQUIREMENTS_FILE
    if not file.is_file():
        return None
    try:
        return _install_or_reuse(project, file, target, cache)
    except (OSError, UnicodeDecodeError) as error:
        raise DeploymentError(f"the requirements cannot be installed ({error}). Nothing was deployed.") from error


def _install_or_reuse(project: Path, file: Path, target: Target, cache: Path) -> Path | None:
    text = file.read_text(encoding="utf-8")
    lines = _requirements(text)
    if not lines:
        return None
    # A line that starts with "-" or names a path may depend on more than its text.
    is_cacheable = not any(line.startswith("-") or "/" in line for line in lines)
    key = "\n".join([*lines, target.runtime, *(["host", sys.platform] if target.is_this_machine else target.platforms)])
    kept = cache / hashlib.sha256(key.encode()).hexdigest()[:32]
    if is_cacheable and kept.is_dir():
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="installing-", dir=cache))
    try:
        _install(project, file, "\n".join(lines), directory, target)
        if kept.is_dir() and not is_cacheable:
            shutil.rmtree(kept)
        _move(directory, kept)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return kept


def _requirements(text: str) -> list[str]:
    """The lines that ask for something, our own package left out."""
    joined = text.replace("\\\n", " ")
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines()]
    return [line for line in lines if line and not _is_own(line)]


def _is_own(line: str) -> bool:
    name = _NAME.match(line)
    return name is not None and re.sub(r"[-_.]+", "-", name.group()).lower() == _OWN_PACKAGE


def _install(project: Path, file: Path, requirements: str, directory: Path, target: Target) -> None:
    listed = project / f".requirements-{os.getpid()}.txt"
    try:
        # Beside the original, because references in it are relative to it.
        listed.write_text(requirements + "\n", encoding="utf-8")
        process = subprocess.run(
            [*_installer(target), "--target", str(directory), "-r", str(listed)],
            cwd=project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    finally:
        listed.unlink(missing_ok=True)
    if process.returncode:
        said = [line for line in process.stdout.splitlines() if line.strip()][-_LINES_SHOWN:]
        where = "this machine" if target.is_this_machine else f"Lambda ({target.runtime}, {target.architecture})"
        raise DeploymentError(
            f"the requirements in {file.name} cannot be installed for {where} (exit code "
            f"{process.returncode}); "
            "nothing was deployed. The installer says:\n  " + "\n  ".join(said)
        )


def find_installer() -> str | None:
    """What requirements are installed with: ``pip``, or else the path of ``uv``."""
    return "pip" if importlib.util.find_spec("pip") is not None else shutil.which("uv")


def _installer(target: Target) -> list[str]:
    installer = find_installer()
    if installer == "pip":
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-input"]
        command += ["--disable-pip-version-check"]
        if not target.is_this_machine:
            command += ["--only-binary", ":all:", "--implementation", "cp"]
            command += ["--python-version", f"3.{target.python_minor}"]
            for platform in target.platforms:
                command += ["--platform", platform]
        return command
    if installer is None:
        raise DeploymentError(
            "the project has requirements, but neither pip nor uv is there to install them; install one of "
            "them. "
            "Nothing was deployed."
        )
    command = [installer, "pip", "install", "--quiet", "--python", sys.executable]
    if not target.is_this_machine:
        newest = target.platforms[-1].rpartition(f"_{'aarch64' if target.architecture == 'arm64' else 'x86_64'}")[0]
        machine = "aarch64" if target.architecture == "arm64" else "x86_64"
        command += ["--only-binary", ":all:", "--python-version", f"3.{target.python_minor}"]
        command += ["--python-platform", f"{machine}-{newest}"]
    return command


def _move(directory: Path, kept: Path) -> None:
    try:
        directory.rename(kept)
    except OSError:
        # Another deployment resolved the same requirements meanwhile; its result is as good.
        if not kept.is_dir():
            raise
