"""Code that workers run: unzipped packages, and what Lambda's own runtime holds beside them."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import shutil
import stat
import threading
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path

from multi_x_serverless.errors import CloudError

MAXIMUM_UNZIPPED_BYTES = 250 * 1024 * 1024
"""Largest unzipped package (AWS Lambda quotas)."""

REQUIRED_MODULES = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
"""What functions run with: AWS's runtime client and what it imports."""

_PROVIDED_MODULES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
_INCOMING = ".incoming-"


class PackageCache:
    """Unzipped packages by the hash of their zip; each is unzipped once and never changed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()

    def provide(self, code_sha256: str, read_zip: Callable[[], bytes]) -> Path:
        """Directory with the unzipped package; `read_zip` is asked for the zip if it is not there yet.

        Raises:
            CloudError: The zip is none, is too large or has another hash.
        """
        target = self._directory / code_sha256
        with self._lock:
            if not target.is_dir():
                body = read_zip()
                digest = hashlib.sha256(body).hexdigest()
                if digest != code_sha256:
                    raise CloudError(
                        f"the code has the SHA-256 {digest} and not {code_sha256}, as the function says.",
                        operation="put_function",
                    )
                self._unzip(body, target)
        return target

    def sweep(self, used: frozenset[str]) -> None:
        """Delete the packages that no function uses any more, and what an interrupted unzipping left."""
        if not self._directory.is_dir():
            return
        with self._lock:
            for path in self._directory.iterdir():
                if path.name not in used:
                    shutil.rmtree(path)

    def _unzip(self, body: bytes, target: Path) -> None:
        incoming = self._directory / f"{_INCOMING}{uuid.uuid4().hex}"
        incoming.mkdir(parents=True)
        try:
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                size = sum(member.file_size for member in archive.infolist())
                if size > MAXIMUM_UNZIPPED_BYTES:
                    raise CloudError(
                        f"the package has {size:,} bytes unzipped; a function takes at most "
                        f"{MAXIMUM_UNZIPPED_BYTES:,}: leave out requirements that it does not need.",
                        operation="put_function",
                    )
                for member in archive.infolist():
                    path = Path(archive.extract(member, incoming))
                    permissions = stat.S_IMODE(member.external_attr >> 16)
                    if permissions & stat.S_IXUSR and path.is_file():
                        path.chmod(0o755)  # zipfile drops permissions; Lambda keeps programs executable
            incoming.rename(target)
        except (zipfile.BadZipFile, OSError) as error:
            raise CloudError(f"the code cannot be unzipped: {error}.", operation="put_function") from error
        finally:
            shutil.rmtree(incoming, ignore_errors=True)


def link_runtime(directory: Path) -> None:
    """Fill a directory with links to what Lambda's Python runtime holds, found in the running interpreter.

    Raises:
        CloudError: AWS's runtime client (`awslambdaric`) is not installed.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for module in (*REQUIRED_MODULES, *_PROVIDED_MODULES):
        specification = importlib.util.find_spec(module)
        if specification is None or specification.origin is None:
            if module in REQUIRED_MODULES:
                raise CloudError(
                    f"the package '{module}' is missing, without which functions cannot run here: "
                    "install awslambdaric into this environment.",
                    operation="start_worker",
                )
            continue
        origin = Path(specification.origin)
        source = origin.parent if specification.submodule_search_locations else origin
        (directory / source.name).symlink_to(source)
