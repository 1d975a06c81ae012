"""The deployment package: a zip that depends on its content alone.

It holds, in this order of precedence,

1. the manifest and the run-time SDK (`multi_x_serverless/__init__.py` and `multi_x_serverless/sdk/`, nothing
   else of the product and nothing compiled),
2. the project's files, but hidden ones (`.git`, `.env`, ...), `__pycache__`, virtual environments,
   `node_modules`, `tests` at the top level, `requirements.txt`, the IAM policy, pages of `report -o` and what the
   configuration leaves out (`package_exclude`),
3. what the project's requirements ask for, but scripts and caches.

Entries are sorted and carry a fixed date and fixed modes: equal input gives equal bytes, hence an equal
digest.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import multi_x_serverless
from multi_x_serverless.deployment.requirements import REQUIREMENTS_FILE, Target, install_requirements
from multi_x_serverless.errors import DeploymentError
from multi_x_serverless.model.report_mark import HEAD_BYTES, is_report, may_be_report
from multi_x_serverless.sdk.manifest import MANIFEST_FILE, Manifest

MAXIMUM_UNZIPPED_BYTES = 250 * 1024 * 1024
"""AWS Lambda quotas, "Deployment package (.zip file archive) size", unzipped."""

_SDK_PACKAGE = "multi_x_serverless"
_LEFT_OUT_DIRECTORIES = frozenset({"__pycache__", "node_modules"})
_LEFT_OUT_AT_THE_TOP = frozenset({"tests", REQUIREMENTS_FILE})
_LEFT_OUT_OF_REQUIREMENTS = frozenset({"__pycache__", "bin"})
_COMPILED_SUFFIXES = (".pyc", ".pyo")

# The earliest date a zip can hold; a real one would change the digest with every checkout.
_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_PLAIN_MODE = 0o644
_EXECUTABLE_MODE = 0o755


@dataclass(frozen=True)
class Package:
    """A built deployment package; `sha256` is the hex digest of `body`."""

    body: bytes
    sha256: str
    unzipped_bytes: int


@dataclass(frozen=True)
class Entry:
    """A file of a package, read when it is packed: images may hold more than fits into memory.

    Attributes:
        source: Its content, or the file that has it.
        is_executable: All that is kept of its mode.
    """

    source: bytes | Path
    is_executable: bool = False

    @property
    def size_bytes(self) -> int:
        """Bytes of its content."""
        if isinstance(self.source, bytes):
            return len(self.source)
        with _packing(self.source):
            return self.source.stat().st_size

    def read(self) -> bytes:
        """Its content.

        Raises:
            DeploymentError: The file cannot be read.
        """
        if isinstance(self.source, bytes):
            return self.source
        with _packing(self.source):
            return self.source.read_bytes()


def _nothing(_name: str) -> bool:
    return False


def own_digest(entries: Mapping[str, Entry]) -> str:
    """Hex digest of what the developer put into a package, requirements among it: all but the manifest and the SDK.

    Raises:
        DeploymentError: A file cannot be read.
    """
    digest = hashlib.sha256()
    for name in sorted(entries):
        if name != MANIFEST_FILE and name.partition("/")[0] != _SDK_PACKAGE:
            content = hashlib.sha256(entries[name].read()).hexdigest()
            digest.update(json.dumps([name, entries[name].is_executable, content]).encode())
    return digest.hexdigest()


def pack_files(files: Mapping[str, Path]) -> Package:
    """A package of files under given names.

    Raises:
        DeploymentError: A file cannot be read, or the package is over Lambda's size limit.
    """
    return pack_entries({name: _entry(path) for name, path in files.items()})


def pack_entries(entries: Mapping[str, Entry]) -> Package:
    """A package of some entries, by their names in it.

    Raises:
        DeploymentError: A file cannot be read, or the package is over Lambda's size limit.
    """
    unzipped = sum(entry.size_bytes for entry in entries.values())
    if unzipped > MAXIMUM_UNZIPPED_BYTES:
        raise DeploymentError(_too_large(entries, unzipped))
    body = _zip(entries)
    return Package(body, hashlib.sha256(body).hexdigest(), unzipped)


def package_entries(
    project: Path, manifest: Manifest, target: Target, *, cache: Path, left_out: Callable[[str], bool] = _nothing
) -> dict[str, Entry]:
    """All files of a package by their names in it, whatever they are packed into.

    Args:
        project: The project's directory.
        manifest: What the functions know of the workflow.
        target: What they run on.
        cache: Where installed requirements are kept.
        left_out: Whether a further file of the project is left out; it is told the path relative to it.

    Raises:
        DeploymentError: Requirements that cannot be installed, or a file in the way of the SDK.
    """
    entries: dict[str, Entry] = {}
    requirements = install_requirements(project, target, cache)
    if requirements is not None:
        entries.update(_requirement_entries(requirements))
    entries.update(_project_entries(project, left_out))
    entries.update(_sdk_entries())
    entries[MANIFEST_FILE] = Entry(manifest.to_json().encode())
    return entries


def _project_entries(project: Path, left_out: Callable[[str], bool]) -> Iterator[tuple[str, Entry]]:
    for path, name in _files(project, skip=_LEFT_OUT_DIRECTORIES, skip_at_the_top=_LEFT_OUT_AT_THE_TOP):
        if left_out(name) or _is_report(path):
            continue
        _require_utf8(name)
        if name == MANIFEST_FILE or name.partition("/")[0] in {_SDK_PACKAGE, f"{_SDK_PACKAGE}.py"}:
            raise DeploymentError(
                f"the project has a file '{name}', which stands in the way of the run-time SDK; rename it. "
                "Nothing was deployed."
            )
        yield name, _entry(path)


def _is_report(path: Path) -> bool:
    """Whether `report` wrote the file: looking at what was saved must not change what is deployed."""
    if not may_be_report(path.name):
        return False
    with _packing(path), path.open("rb") as file:
        return is_report(file.read(HEAD_BYTES))


def _requirement_entries(directory: Path) -> Iterator[tuple[str, Entry]]:
    for path, name in _files(directory, skip=_LEFT_OUT_OF_REQUIREMENTS, skip_at_the_top=frozenset()):
        _require_utf8(name)
        yield name, _entry(path)


def _sdk_entries() -> Iterator[tuple[str, Entry]]:
    package = Path(multi_x_serverless.__file__).parent
    for path in (package / "__init__.py", *sorted((package / "sdk").rglob("*.py"))):
        yield f"{_SDK_PACKAGE}/{path.relative_to(package).as_posix()}", _entry(path)


def _files(root: Path, *, skip: frozenset[str], skip_at_the_top: frozenset[str]) -> Iterator[tuple[Path, str]]:
    """Files below a directory that are not hidden, with their relative names."""
    for directory, directories, files in os.walk(root):
        here = Path(directory)
        is_top = here == root
        directories[:] = sorted(
            name
            for name in directories
            if not name.startswith(".")
            and name not in skip
            and not (is_top and name in skip_at_the_top)
            and not (here / name / "pyvenv.cfg").is_file()
        )
        for name in directories:
            if (here / name).is_symlink():
                raise DeploymentError(
                    f"'{_shown((here / name).relative_to(root))}' is a link to a directory, which cannot be packed; "
                    "put the directory itself there. Nothing was deployed."
                )
        for name in sorted(files):
            if name.startswith(".") or name.endswith(_COMPILED_SUFFIXES) or (is_top and name in skip_at_the_top):
                continue
            path = here / name
            if path.exists() and not path.is_file():
                raise DeploymentError(
                    f"'{_shown(path)}' is no regular file and cannot be packed. Nothing was deployed."
                )
            yield path, path.relative_to(root).as_posix()


def _require_utf8(name: str) -> None:
    """Refuse a name that a package cannot hold.

    Raises:
        DeploymentError: It is not UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DeploymentError(
            f"the name of the file '{_shown(name)}' is not UTF-8 and cannot be packed; rename it, or leave it out by "
            "'package_exclude'. Nothing was deployed."
        ) from None


def _shown(path: Path | str) -> str:
    """A path for people; bytes of it that are not UTF-8 in hexadecimal, after a backslash."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _entry(path: Path) -> Entry:
    return Entry(path, is_executable=os.access(path, os.X_OK))


@contextmanager
def _packing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DeploymentError(f"'{_shown(path)}' cannot be packed ({error.strerror}). Nothing was deployed.") from error


def _zip(entries: Mapping[str, Entry]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(entries):
            entry = entries[name]
            information = zipfile.ZipInfo(name, _DATE)
            information.create_system = _UNIX
            information.compress_type = zipfile.ZIP_DEFLATED
            mode = _EXECUTABLE_MODE if entry.is_executable else _PLAIN_MODE
            information.external_attr = (0o100000 | mode) << 16
            archive.writestr(information, entry.read())
    return stream.getvalue()


def _too_large(entries: Mapping[str, Entry], unzipped: int) -> str:
    sizes: dict[str, int] = {}
    for name, entry in entries.items():
        top = name.partition("/")[0]
        sizes[top] = sizes.get(top, 0) + entry.size_bytes
    largest = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:3]
    listed = ", ".join(f"{name} ({size / 2**20:.0f} MB)" for name, size in largest)
    return (
        f"the package has {unzipped / 2**20:.0f} MB unzipped, Lambda takes {MAXIMUM_UNZIPPED_BYTES // 2**20} "
        "MB; "
        f"the largest parts are {listed}. With '--package image' it may have 10 GB. Nothing was deployed."
    )
