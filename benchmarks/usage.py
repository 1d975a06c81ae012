"""The command line of a script that takes nothing from it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def take_no_arguments(module: str, documentation: str | None, arguments: Sequence[str] | None = None) -> None:
    """Show what the script does if that is asked for, and refuse everything else, before hours of work begin.

    Args:
        module: As it is called with ``python -m``.
        documentation: Docstring of the module.
        arguments: What the script was called with; by default what this process was.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}", description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(arguments)
