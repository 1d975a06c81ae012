"""What is said of a failure that must stay with the workflow that it happened to."""

from __future__ import annotations

import traceback
from pathlib import Path

from multi_x_serverless.errors import MultiXServerlessError


def why(error: BaseException) -> str:
    """Why something could not be read, without an end to the sentence: for what is said beside something else."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted again"
    if isinstance(error, MultiXServerlessError):
        return str(error).rstrip(".")
    return f"{type(error).__name__}: {error}".rstrip(": .")


DEFECT = "defect"
"""Code of what no part of the product raises on purpose."""


def sentence_and_code(error: Exception) -> tuple[str, str]:
    """The message of an error and its code; of a defect what it is and where, so that it can be found and mended."""
    if isinstance(error, MultiXServerlessError):
        return str(error), error.code
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"a defect of the program met it{place}: {type(error).__name__}: {error}", DEFECT
