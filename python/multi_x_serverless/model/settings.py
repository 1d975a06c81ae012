"""Settings with their positions: what a YAML file or a literal in source says, and where it says so.

`Setting` is one value with file, line and path (``constraints.priority_order[1]``); its accessors return
typed values or raise `InvalidConfigurationError` that names all three. `read_yaml` makes the tree of a file,
`read_literal` that of a Python literal, so that a setting is checked by one piece of code wherever it
stands.
"""

from __future__ import annotations

import ast
import difflib
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import yaml

from multi_x_serverless.errors import InvalidConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

Name = TypeVar("Name", bound=str)
Value: TypeAlias = bool | int | float | str | tuple["Setting", ...] | Mapping[str, "Setting"] | None

MAXIMUM_SETTINGS = 10_000
"""Values, lists and mappings of a file. Aliases multiply: a few hundred bytes can stand for more than any memory holds,
and a large project has a few hundred settings."""

# Plain decimal numbers only: YAML 1.1 also reads 010 as eight and 1:30 as ninety, which nobody means.
_WHOLE_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_DECIMAL_NUMBER = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?\Z")


@dataclass(frozen=True)
class Setting:
    """One value of a configuration.

    Attributes:
        value: The value; lists and mappings hold settings.
        file: File as the user knows it.
        line: Line of the key (for a member of a mapping) or of the value, from 1.
        path: Where in the configuration the value stands, empty for all of it.
        written: Text of a scalar as it is written, `None` where it is not known.
    """

    value: Value
    file: str
    line: int
    path: str = ""
    written: str | None = None

    def error(self, message: str) -> InvalidConfigurationError:
        """An error about this setting; `message` continues the sentence that its path starts."""
        subject = f"'{self.path}' " if self.path else ""
        return InvalidConfigurationError(subject + message, file=self.file, line=self.line)

    @property
    def is_null(self) -> bool:
        """Whether the value is null."""
        return self.value is None

    def shown(self) -> str:
        """The value for an error message."""
        if isinstance(self.value, tuple):
            return "a list"
        if isinstance(self.value, Mapping):
            return "a mapping"
        if isinstance(self.value, str):
            return f"the text '{self.value}'"
        return "null" if self.value is None else (self.written or repr(self.value))

    def text(self, expected: str = "text") -> str:
        """Text; numbers and booleans are refused with the advice to quote them."""
        if not isinstance(self.value, str):
            scalar = isinstance(self.value, bool | int | float)
            advice = f'; write "{self.written or self.value}" with quotes' if scalar else ""
            raise self.error(f"is {self.shown()}, expected {expected}{advice}.")
        return self.value

    def one_of(self, names: Sequence[Name]) -> Name:
        """Text out of a few names."""
        value = self.text(f"one of {', '.join(names)}")
        for name in names:
            if name == value:
                return name
        raise self.error(f"is '{value}'{suggestion(value, names)}, expected one of {', '.join(names)}.")

    def truth(self) -> bool:
        """True or false."""
        value = self.value
        if not isinstance(value, bool):
            raise self.error(f"is {self.shown()}, expected true or false.")
        return value

    def integer(self, lowest: int, highest: int | None = None, unit: str = "") -> int:
        """A whole number within limits."""
        expected = f"a whole number from {lowest}" + ("" if highest is None else f" to {highest}") + unit
        value = self.value
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(f"is {self.shown()}, expected {expected}.")
        if value < lowest or (highest is not None and value > highest):
            raise self.error(f"is {value}, expected {expected}.")
        return value

    def number(self, expected: str = "a number") -> float:
        """A finite number."""
        value = self.value
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise self.error(f"is {self.shown()}, expected {expected}.")
        return float(value)

    def entries(self) -> tuple[Setting, ...]:
        """The entries of a list."""
        if not isinstance(self.value, tuple):
            raise self.error(f"is {self.shown()}, expected a list.")
        return self.value

    def members(self, known: Collection[str] | None = None) -> Mapping[str, Setting]:
        """The members of a mapping; with `known`, any other key is refused and a close match suggested."""
        if not isinstance(self.value, Mapping):
            raise self.error(f"is {self.shown()}, expected a mapping of keys to values.")
        if known is not None:
            for key, member in self.value.items():
                if key not in known:
                    where = f" in '{self.path}'" if self.path else ""
                    raise InvalidConfigurationError(
                        f"unknown key '{key}'{where}{suggestion(key, known)}; known are {', '.join(known)}.",
                        file=member.file,
                        line=member.line,
                    )
        return self.value

    def member(self, name: str) -> Setting | None:
        """A member of a mapping, `None` if it is missing or null."""
        found = self.members().get(name)
        return None if found is None or found.is_null else found

    def required(self, name: str) -> Setting:
        """A member of a mapping that must be there and not null."""
        found = self.members().get(name)
        if found is None:
            where = f"'{self.path}'" if self.path else "the configuration"
            raise InvalidConfigurationError(f"{where} lacks the key '{name}'.", file=self.file, line=self.line)
        if found.is_null:
            raise found.error("is empty and needs a value.")
        return found


def suggestion(name: str, known: Collection[str]) -> str:
    """`` (did you mean 'x'?)`` for the closest known name, or nothing."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" (did you mean '{close[0]}'?)" if close else ""


def read_yaml(path: Path, file: str | None = None) -> Setting:
    """The settings of a YAML file, which must hold one mapping.

    Args:
        path: The file.
        file: Its name for messages; default `path` as it is.

    Raises:
        InvalidConfigurationError: No such file, no UTF-8, no YAML, no mapping, a key given twice, or too many settings.
    """
    file = str(path) if file is None else file
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidConfigurationError(
            "there is no such file; 'multi_x_serverless new_workflow NAME' makes a project with one, "
            "--project-dir names another project.",
            file=file,
        ) from None
    except UnicodeDecodeError as error:
        raise InvalidConfigurationError(f"is not UTF-8 text (byte {error.start}).", file=file) from None
    except OSError as error:
        raise InvalidConfigurationError(f"cannot be read ({error.strerror}).", file=file) from None
    try:
        return _settings_of_text(text, file)
    except RecursionError:
        raise InvalidConfigurationError("has lists or mappings too deep in each other.", file=file) from None


def _settings_of_text(text: str, file: str) -> Setting:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise InvalidConfigurationError(f"is not valid YAML: {error.problem}.", file=file, line=line) from None
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise InvalidConfigurationError(f"is not valid YAML: {reason}.", file=file) from None
    if node is None:
        raise InvalidConfigurationError("is empty; expected the workflow's configuration.", file=file, line=1)
    return _setting_of_node(node, file, path="", above=frozenset(), number=count(1))


def _setting_of_node(node: yaml.Node, file: str, path: str, above: frozenset[int], number: Iterator[int]) -> Setting:
    """The settings below a node, each alias written out, as many as `number` counts so far."""
    line = node.start_mark.line + 1
    if next(number) > MAXIMUM_SETTINGS:
        raise InvalidConfigurationError(
            f"there are more than {MAXIMUM_SETTINGS} settings, aliases written out; no configuration needs so many.",
            file=file,
            line=line,
        )
    if id(node) in above:
        raise InvalidConfigurationError("an alias contains itself.", file=file, line=line)
    above |= {id(node)}
    if isinstance(node, yaml.SequenceNode):
        entries = tuple(
            _setting_of_node(entry, file, f"{path}[{index}]", above, number) for index, entry in enumerate(node.value)
        )
        return Setting(entries, file, line, path)
    if isinstance(node, yaml.MappingNode):
        members: dict[str, Setting] = {}
        for key_node, value_node in node.value:
            key_line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise InvalidConfigurationError("a key must be plain text.", file=file, line=key_line)
            key = str(key_node.value)
            if key in members:
                raise InvalidConfigurationError(
                    f"the key '{key}' is given twice, first on line {members[key].line}.",
                    file=file,
                    line=key_line,
                )
            value = _setting_of_node(value_node, file, f"{path}.{key}".lstrip("."), above, number)
            members[key] = replace(value, line=key_line)
        return Setting(members, file, line, path)
    return Setting(_scalar(node, file, line), file, line, path, written=str(node.value))


def _scalar(node: yaml.Node, file: str, line: int) -> bool | int | float | str | None:
    text = str(node.value)
    kind = str(node.tag).removeprefix("tag:yaml.org,2002:")
    if kind.startswith("!"):
        raise InvalidConfigurationError(f"the tag '{kind}' is not supported.", file=file, line=line)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("true", "yes", "on")
    if isinstance(node, yaml.ScalarNode) and node.style is None:
        if _WHOLE_NUMBER.match(text):
            return int(text)
        if _DECIMAL_NUMBER.match(text):
            return float(text)
    return text


def read_literal(expression: ast.expr, file: str, path: str) -> Setting:
    """The settings that a Python literal holds.

    Raises:
        InvalidConfigurationError: The expression is no literal of text, numbers, booleans, `None`, lists and
            dicts with text as keys.
    """
    line = expression.lineno
    if isinstance(expression, ast.Constant) and (
        expression.value is None or isinstance(expression.value, bool | int | float | str)
    ):
        return Setting(expression.value, file, line, path)
    if isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.USub):
        operand = read_literal(expression.operand, file, path)
        if isinstance(operand.value, int | float) and not isinstance(operand.value, bool):
            return Setting(-operand.value, file, line, path)
    if isinstance(expression, ast.List | ast.Tuple):
        entries = tuple(read_literal(entry, file, f"{path}[{index}]") for index, entry in enumerate(expression.elts))
        return Setting(entries, file, line, path)
    if isinstance(expression, ast.Dict):
        members: dict[str, Setting] = {}
        for key_expression, value_expression in zip(expression.keys, expression.values, strict=True):
            if not isinstance(key_expression, ast.Constant) or not isinstance(key_expression.value, str):
                raise InvalidConfigurationError(
                    f"a key of '{path}' is no literal text; the source is read without running it.",
                    file=file,
                    line=line if key_expression is None else key_expression.lineno,
                )
            key = key_expression.value
            if key in members:
                raise InvalidConfigurationError(
                    f"the key '{key}' of '{path}' is given twice, first on line {members[key].line}.",
                    file=file,
                    line=key_expression.lineno,
                )
            value = read_literal(value_expression, file, f"{path}.{key}")
            members[key] = replace(value, line=key_expression.lineno)
        return Setting(members, file, line, path)
    raise InvalidConfigurationError(
        f"'{path}' is no literal; the source is read without running it, so write the value itself.",
        file=file,
        line=line,
    )
