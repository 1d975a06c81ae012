"""What `doctor` looks at on this machine, without any cloud: Python, the engine, the tools that deployments call."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys

from multi_x_serverless.cloud.ports import Check, Finding
from multi_x_serverless.deployment.requirements import find_installer

NEWEST_LAMBDA_MINOR = 14
"""Newest Python 3 that Lambda has, as far as this version knows (AWS Lambda developer guide, "Lambda runtimes")."""

TOOL_TIMEOUT_S = 10.0
"""A daemon that has not answered by then does not answer."""


def machine_checks(*, is_aws: bool) -> tuple[Check, ...]:
    """Checks of this machine; only what goes to AWS may be packaged by Docker and crane."""
    tools = (Check("docker", _check_docker), Check("crane", _check_crane)) if is_aws else ()
    return (
        Check("python", lambda: _check_python(is_aws=is_aws)),
        Check("engine", _check_engine),
        Check("installer", _check_installer),
        *tools,
    )


def _check_python(*, is_aws: bool) -> tuple[Finding, ...]:
    version, implementation = platform.python_version(), platform.python_implementation()
    here = f"{implementation} {version} on {platform.system()}, {platform.machine()}"
    if implementation != "CPython":
        return (
            Finding("python", "problem", f"{here}; the engine is built for CPython", "# install with CPython 3.10+"),
        )
    if is_aws and sys.version_info.minor > NEWEST_LAMBDA_MINOR:
        message = f"{here}; functions get the Python of this machine, and Lambda may have none so new"
        remedy = f"# install with CPython 3.{NEWEST_LAMBDA_MINOR} where Lambda refuses python3.{sys.version_info.minor}"
        return (Finding("python", "note", message, remedy),)
    return (Finding("python", "ok", here),)


def _check_engine() -> tuple[Finding, ...]:
    try:
        from multi_x_serverless.solving.engine import engine_version  # noqa: PLC0415  # a finding if it fails
    except ImportError as error:
        remedy = "python -m pip install --force-reinstall --no-deps multi-x-serverless\n# in a source tree: make setup"
        return (Finding("engine", "problem", f"the native engine does not load: {error}", remedy),)
    return (Finding("engine", "ok", f"{engine_version()} loads"),)


def _check_installer() -> tuple[Finding, ...]:
    installer = find_installer()
    if installer is None:
        message = "neither pip nor uv is there: a workflow with requirements cannot be deployed"
        return (Finding("installer", "problem", message, "python -m ensurepip --upgrade"),)
    return (Finding("installer", "ok", f"requirements are installed with {installer}"),)


def _check_docker() -> tuple[Finding, ...]:
    docker = shutil.which("docker")
    unneeded = "packages of the format zip need none"
    if docker is None:
        return (Finding("docker", "note", f"is not installed; {unneeded}"),)
    try:
        finished = subprocess.run(
            [docker, "version", "--format", "{{.Server.Version}}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TOOL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        said = f"no answer within {TOOL_TIMEOUT_S:.0f} s"
    else:
        if finished.returncode == 0:
            return (Finding("docker", "ok", f"its daemon {finished.stdout.strip()} answers"),)
        said = next((line for line in finished.stderr.splitlines() if line.strip()), f"exit {finished.returncode}")
    start = "open -a Docker" if sys.platform == "darwin" else "sudo systemctl start docker"
    return (Finding("docker", "note", f"its daemon does not answer ({said}); {unneeded}", start),)


def _check_crane() -> tuple[Finding, ...]:
    crane = shutil.which("crane")
    if crane is None:
        return (Finding("crane", "note", "is not installed; packages of the format zip need none"),)
    return (Finding("crane", "ok", crane),)
