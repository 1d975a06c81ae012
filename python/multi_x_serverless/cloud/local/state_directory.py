"""The directory that an embedded cloud is: its files and the lock that gives it one owner."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from multi_x_serverless.errors import StateDirectoryBusyError


class StateDirectory:
    """Paths below one directory. The owner holds an exclusive lock that the operating system ends with the process.

    ======================= =======================================================================================
    ``cloud.db``            tables, messages, logs, functions, roles and the index of objects (SQLite)
    ``objects/``            bodies of objects, named by their SHA-256
    ``packages/``           unzipped code, named by the SHA-256 of its zip
    ``runtime/``            links to the packages that Lambda's own runtime holds
    ``workers/``            home and temporary directory of each live worker
    ``faults.yml``          optional fault plan
    ``lock``                process id of the owner
    ======================= =======================================================================================
    """

    def __init__(self, root: Path) -> None:
        root = root.absolute()  # functions run in directories of their own, where a relative path leads elsewhere
        self.root = root
        self.database = root / "cloud.db"
        self.objects = root / "objects"
        self.packages = root / "packages"
        self.runtime = root / "runtime"
        self.workers = root / "workers"
        self.fault_plan = root / "faults.yml"
        self._lock_path = root / "lock"
        self._lock: int | None = None

    def acquire(self) -> None:
        """Become the owner; makes the directory if needed.

        Raises:
            StateDirectoryBusyError: Another process (or another embedded cloud of this one) is the owner.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0).decode("ascii", errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise StateDirectoryBusyError(
                f"the state directory {self.root} is in use by process {owner}: "
                "wait until that command ends, or choose another --state-dir."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor

    def owner(self) -> int | None:
        """Process id of the owner, as far as the lock's file tells; taking the lock to be sure would refuse others."""
        try:
            process = int(self._lock_path.read_text(encoding="ascii", errors="replace"))
            os.kill(process, 0)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return None  # nobody, or one that was killed: the operating system ended its lock
        except PermissionError:
            pass  # somebody else's process
        return process

    def release(self) -> None:
        """Stop being the owner."""
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None
