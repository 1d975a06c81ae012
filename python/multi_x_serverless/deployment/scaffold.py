"""``new_workflow``: a project directory with an example workflow that deploys unedited."""

from __future__ import annotations

import json
import random
import shutil
from importlib import resources
from typing import TYPE_CHECKING

from multi_x_serverless.errors import UsageError, WorkflowExistsError
from multi_x_serverless.model.config import CONFIGURATION_DIRECTORY, CONFIGURATION_FILE, check_name

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE_INPUTS = 120
"""Above the 100 runs from which `update_check_solver` learns."""

_NAME = "example_text"
"""Name of the workflow in the template, so that the template is a valid project itself."""

_FILES = {
    "app.py": "app.py",
    "config.yml": f"{CONFIGURATION_DIRECTORY}/{CONFIGURATION_FILE}",
    "iam_policy.json": "iam_policy.json",
    "requirements.txt": "requirements.txt",
    "gitignore": ".gitignore",
    "README.md": "README.md",
}
"""File of the template -> its place in the project."""

_SUBJECTS = (
    "the wind",
    "the river",
    "a cat",
    "the old clock",
    "a train",
    "the grid",
    "a baker",
    "the moon",
    "Mr. Stone",
)
_VERBS = ("follows", "forgets", "carries", "hears", "measures", "wakes", "paints", "cools", "moves")
_OBJECTS = (
    "the valley",
    "a quiet street",
    "warm bread",
    "cold water",
    "the bell",
    "a small light",
    "the hill",
    "a stone",
)
_SYLLABLES = ("la", "no", "va", "ri", "to", "mi", "ka", "le", "su", "ne")
_ENDINGS = ("at night", "in the rain", "before noon", "with care", "as ever", "when winter comes", "for a while")


def new_workflow(parent: Path, name: str) -> Path:
    """Make the project directory `name` below `parent` and return its path.

    Everything is written into a directory beside it that is renamed at the end, so that the project is there
    whole or not at all.

    Raises:
        UsageError: The name cannot be a workflow's.
        WorkflowExistsError: The directory exists.
    """
    problem = check_name(name)
    if problem is not None:
        raise UsageError(f"'{name}' cannot be the name of a workflow: a name {problem}.")
    target = parent / name
    if target.exists():
        raise WorkflowExistsError(f"the directory '{name}' exists: choose another name or delete it.")
    unfinished = parent / f".{name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        _write_project(unfinished, name)
        unfinished.rename(target)
    except OSError as error:
        raise UsageError(f"the directory '{name}' cannot be made: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)  # also after Ctrl-C
    return target


def _write_project(directory: Path, name: str) -> None:
    template = resources.files("multi_x_serverless.deployment") / "template"
    for source, destination in _FILES.items():
        path = directory / destination
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((template / source).read_text(encoding="utf-8").replace(_NAME, name), encoding="utf-8")
    lines = example_inputs(EXAMPLE_INPUTS)
    (directory / "inputs.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def example_inputs(count: int) -> list[str]:
    """Made-up inputs of the example workflow, a JSON object each: 60 to 140 sentences, every third one deep."""
    generator = random.Random(2023)  # noqa: S311  # made-up texts need no secrecy, but the same ones each time
    return [
        json.dumps({"text": _text(generator, generator.randint(60, 140)), "deep": number % 3 == 0})
        for number in range(count)
    ]


def _text(generator: random.Random, sentences: int) -> str:
    return " ".join(_sentence(generator) for _ in range(sentences))


def _sentence(generator: random.Random) -> str:
    words = " ".join(generator.choice(group) for group in (_SUBJECTS, _VERBS, _OBJECTS, _ENDINGS))
    place = "".join(generator.choice(_SYLLABLES) for _ in range(generator.randint(2, 3))).capitalize()
    return f"{words[0].upper()}{words[1:]} near {place}."
