"""Ends the workers of a host that died without doing so itself (for instance by ``kill -9``).

Run as a script by the host, in a session of its own, with a pipe from the host as standard input. Lines ``+<id>`` and
``-<id>`` name process groups that came and went. The pipe ends when the host does, however it died: then every group
that is left is killed. This needs nothing of the operating system but pipes and process groups, watches functions that
never return to Python, and takes their children along; a parent-death signal would do none of that portably.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys


def main() -> None:
    """Keep the list until the pipe ends, then kill what is on it."""
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
