"""What `doctor` found, in lines and as members of a document."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from multi_x_serverless.cli.output import counted, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multi_x_serverless.cli.session import Settings
    from multi_x_serverless.cloud.ports import Finding

REGIONS_SHOWN = 4
"""More are counted instead of listed; ``--output json`` has them all."""

_COLORS = {"ok": "green", "note": "yellow", "problem": "red"}
_STATUS_WIDTH = 9
_CHECK_WIDTH = 13
_INDENT = " " * (_STATUS_WIDTH + _CHECK_WIDTH)
_REMEDY_INDENT = " " * 4
_NARROWEST = 60
_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'|"[^"]*")+""")  # as a shell splits a line


def _write(settings: Settings, line: str) -> None:
    click.echo(line, color=None if settings.color else False)


def show_findings(settings: Settings, findings: Sequence[Finding]) -> None:
    """Each finding with what mends it; commands are broken as a shell takes them, so that they can be copied."""
    width = max(_NARROWEST, shutil.get_terminal_size((80, 24)).columns)
    for finding in findings:
        first, *others = textwrap.wrap(
            printable(_sentence(finding)), width - len(_INDENT), break_long_words=False, break_on_hyphens=False
        ) or [""]
        status = click.style(f"{finding.status:<{_STATUS_WIDTH}}", fg=_COLORS[finding.status])
        _write(settings, f"{status}{finding.check:<{_CHECK_WIDTH}}{first}")
        for line in others:
            _write(settings, _INDENT + line)
        for line in printable(finding.remedy).splitlines():
            for part in _wrapped_remedy(line, width):
                _write(settings, part)
    counts = Counter(finding.status for finding in findings)
    problems, notes = counts["problem"], counts["note"]
    _write(
        settings,
        f"{counted(problems, 'problem')}, {counted(notes, 'note')}, {counts['ok']} ok.",
    )


def finding_members(finding: Finding) -> dict[str, Any]:
    """A finding as members of a document; `remedy` holds lines for a shell."""
    return {
        "check": finding.check,
        "status": finding.status,
        "regions": list(finding.regions),
        "message": finding.message,
        "remedy": finding.remedy or None,
    }


def _sentence(finding: Finding) -> str:
    if not finding.regions:
        return finding.message
    if len(finding.regions) > REGIONS_SHOWN and finding.status == "ok":
        return f"{len(finding.regions)} regions: {finding.message}"
    return f"{', '.join(finding.regions)}: {finding.message}"


def _wrapped_remedy(line: str, width: int) -> list[str]:
    """A comment in several comments, a command continued over several lines."""
    if line.startswith("#"):
        start = _REMEDY_INDENT + "# "
        return textwrap.wrap(
            line.lstrip("# "),
            width,
            initial_indent=start,
            subsequent_indent=start,
            break_long_words=False,
            break_on_hyphens=False,
        )
    lines = []
    current = _REMEDY_INDENT
    for number, word in enumerate(_WORD.findall(line)):
        if number and len(f"{current} {word} \\") > width:
            lines.append(current + " \\")
            current = _REMEDY_INDENT * 2 + word
        else:
            current += f" {word}" if number else word
    return [*lines, current]
