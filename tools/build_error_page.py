"""Write ``docs/errors.md``: every error code with its cause and remedy, taken from the code.

    python tools/build_error_page.py

Causes are the first sentences of the classes' docstrings (of the engine's codes: of its enumeration), remedies their
attribute `remedy`. A test compares the page with the code.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path

import multi_x_serverless
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_USAGE, MultiXServerlessError
from multi_x_serverless.sdk.errors import WorkflowError

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "errors.md"
ENGINE_ERRORS = ROOT / "rust" / "engine" / "src" / "error.rs"

NOT_IMPORTABLE = frozenset({"__main__", "lambda_handler"})
"""Modules that do something when they are loaded; they define no errors."""

OF_THE_COMMAND_LINE = {
    "internal": (
        EXIT_FAILURE,
        "A defect of this program: an error that it does not raise on purpose.",
        "Report it, with what -v before the command shows; what was done before it stays as it is.",
    ),
}
"""Codes without a class: code -> exit code, cause, remedy. Errors of click have the code ``usage``."""

ENGINE_REMEDIES = {
    "malformed-json": "Write the document with a JSON library; the path says where it ends or breaks.",
    "unknown-schema": "Pass a problem document; 'solve --dump-problem' writes one.",
    "unsupported-version": "Write the document with the same version of the program that reads it.",
    "invalid-field": "Correct the field at the path; docs/problem-document.md lists them all.",
    "out-of-range": "Put the number at the path into its range.",
    "unknown-name": "Use a name that the document lists, or list it.",
    "duplicate-name": "List each region, node and hour once.",
    "invalid-graph": "Make the nodes and edges a graph without cycles that one node, which joins nothing, enters.",
    "inconsistent-observations": "Give each column one entry per run, and let runs call only edges of nodes that ran.",
    "missing-estimates": "Run the workflow and sync ('run', 'data_sync'), or add priors for the node.",
    "unsupported-setting": "Leave the setting out, or give one of those that the message names.",
    "invalid-argument": "Correct the argument that the path names.",
    "interrupted": "None is needed: the caller asked for it.",
}
"""Codes of the engine -> what to do."""

_VARIANT = re.compile(r"    /// ([^\n]+)\n    (\w+),\n")
_PAGE_NAME = re.compile(r"docs/([a-z/-]+\.md)")
_CODE = re.compile(r'Self::(\w+) => "([a-z-]+)"')


@dataclass(frozen=True)
class ErrorEntry:
    """A line of a table; `exit_code` is `None` where no command ends by it."""

    code: str
    exit_code: int | None
    cause: str
    remedy: str


def error_classes(base: type[Exception]) -> Iterator[type[Exception]]:
    """All classes below a base that have a code of their own, in the order of the modules that define them."""
    for module in pkgutil.walk_packages(multi_x_serverless.__path__, "multi_x_serverless."):
        if module.name.rsplit(".", 1)[-1] not in NOT_IMPORTABLE and ".template" not in module.name:
            importlib.import_module(module.name)

    def below(parent: type[Exception]) -> Iterator[type[Exception]]:
        for child in parent.__subclasses__():
            if child.__module__.startswith("multi_x_serverless."):
                if "code" in vars(child):
                    yield child
                yield from below(child)

    return below(base)


def entry_of(error: type[Exception]) -> ErrorEntry:
    """What the table says of a class.

    Raises:
        ValueError: It lacks a docstring or a remedy of its own.
    """
    described, remedy = vars(error).get("__doc__"), vars(error).get("remedy")
    if not described or not remedy:
        raise ValueError(f"{error.__module__}.{error.__name__} needs a docstring (its cause) and a remedy")
    cause = " ".join(cleandoc(described).split("\n\n")[0].split())
    return ErrorEntry(vars(error)["code"], getattr(error, "exit_code", None), cause, remedy)


def engine_entries() -> list[ErrorEntry]:
    """The engine's codes, from its source.

    Raises:
        ValueError: A code has no remedy here, or there is a remedy of no code.
    """
    source = ENGINE_ERRORS.read_text(encoding="utf-8")
    causes = {name: text for text, name in _VARIANT.findall(source)}
    codes = {name: code for name, code in _CODE.findall(source)}  # noqa: C416  # pairs that mean something
    if not codes or causes.keys() != codes.keys() or set(codes.values()) != set(ENGINE_REMEDIES):
        raise ValueError(f"ENGINE_REMEDIES and {ENGINE_ERRORS.name} name different codes")
    return [ErrorEntry(code, None, causes[name], ENGINE_REMEDIES[code]) for name, code in codes.items()]


def page() -> str:
    """The page."""
    own = [entry_of(error) for error in error_classes(MultiXServerlessError)]
    own += [ErrorEntry(code, *entry) for code, entry in OF_THE_COMMAND_LINE.items()]
    run_time = [entry_of(error) for error in error_classes(WorkflowError)]
    return f"""\
<!-- Made by tools/build_error_page.py from the code; do not edit. -->
# Errors

Every error that this program raises on purpose has a stable code. A command prints one sentence on standard error;
with `--output json` it prints `{{"error": {{"code": ..., "message": ...}}}}` there, with more members by code (`path`,
`reason`), and `-v` before the command adds the traceback. Codes stay the same from version to version; sentences may
change.

## Of commands

In Python these are the classes of `multi_x_serverless.errors`, all below `MultiXServerlessError`. Wrong usage of the
command line itself (an unknown option, a missing argument) has the code `usage` and the exit code {EXIT_USAGE}, too;
Ctrl-C ends a command with exit code {EXIT_INTERRUPTED}, and one that was changing something says what is left.

{_table(sorted(own, key=lambda entry: entry.code), with_exit_code=True)}
## In functions

What the package raises inside a deployed function, below `multi_x_serverless.sdk.errors.WorkflowError`. They stand in
the log of the function ('logs', 'status RUN_ID') and, when all tries have failed, in the dead letter ('dead_letters').

{_table(sorted(run_time, key=lambda entry: entry.code), with_exit_code=False)}
## Of the engine

`reason` of `invalid-problem`, and `code` of `multi_x_serverless._core.EngineError`;
[the problem document](problem-document.md) has every field.

{_table(engine_entries(), with_exit_code=False)}"""


def _linked(text: str) -> str:
    """Pages of the documentation as links from this one."""
    return _PAGE_NAME.sub(r"[\1](\1)", text)


def _table(entries: list[ErrorEntry], *, with_exit_code: bool) -> str:
    if with_exit_code:
        head = "| code | exit code | cause | remedy |\n|---|---|---|---|\n"
        return head + "".join(
            f"| `{entry.code}` | {entry.exit_code} | {_linked(entry.cause)} | {_linked(entry.remedy)} |\n"
            for entry in entries
        )
    head = "| code | cause | remedy |\n|---|---|---|\n"
    return head + "".join(
        f"| `{entry.code}` | {_linked(entry.cause)} | {_linked(entry.remedy)} |\n" for entry in entries
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
