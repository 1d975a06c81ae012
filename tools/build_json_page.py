"""Write ``docs/commands-json.md``: the JSON document of every command, as `cli.documents` declares it.

    python tools/build_json_page.py

A test compares the page with the declarations, and the declarations with what commands print.
"""

from __future__ import annotations

from pathlib import Path

from multi_x_serverless.cli.documents import DOCUMENTS, Document, Member
from multi_x_serverless.cli.output import OUTPUT_VERSION, SCHEMA_PREFIX

PAGE = Path(__file__).resolve().parents[1] / "docs" / "commands-json.md"


def page() -> str:
    """The page."""
    return f"""\
<!-- Made by tools/build_json_page.py from multi_x_serverless/cli/documents.py; do not edit. -->
# JSON documents of commands

With `--output json` before its name every command prints one JSON document on standard output, and nothing else
there. What goes wrong is `{{"error": {{...}}}}` on standard error ([errors](errors.md)); exit codes are the same as
with tables.

```console
$ multi_x_serverless --output json list
{{
  "schema": "{SCHEMA_PREFIX}list",
  "version": {OUTPUT_VERSION},
  "workflows": []
}}
```

`schema` and `version` are members of every document. Of version {OUTPUT_VERSION} no member is renamed, dropped or
changes its meaning; more may come, so a reader leaves alone what it does not know. Times are in seconds since the
epoch unless they are texts, durations in seconds, sizes in bytes, costs in USD, carbon in gCO2eq. `completion` prints a
script whatever the form. `logs --follow` and `objects get` without a file print no document, and refuse
`--output json`.

{"".join(_section(document) for document in DOCUMENTS)}"""


def _section(document: Document) -> str:
    rows = "".join(_row(member) for member in document.members)
    return f"""\
## {document.command}

`{SCHEMA_PREFIX}{document.schema}`

| member | meaning | its members |
|---|---|---|
{rows}
"""


def _row(member: Member) -> str:
    name = f"`{member.name}`" + (" (not always)" if member.is_optional else "")
    return f"| {name} | {member.meaning} | {', '.join(f'`{entry}`' for entry in member.members)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page().rstrip("\n") + "\n", encoding="utf-8")
