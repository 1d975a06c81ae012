"""Every command prints a JSON document, as it is declared and as ``docs/commands-json.md`` says."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from multi_x_serverless.cli.documents import DOCUMENTS, Document, Member
from multi_x_serverless.cli.main import COMMANDS, cli, run
from multi_x_serverless.cli.output import OUTPUT_VERSION, SCHEMA_PREFIX
from tests.unit.cli.command_documents import Documents, command_documents

ROOT = Path(__file__).resolve().parents[3]

WITHOUT_A_DOCUMENT = {"completion"}
"""Commands that print something for another program anyway."""

HEAD = {"schema", "version"}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Documents:
    return command_documents(tmp_path_factory.mktemp("documents"))


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("build_json_page")


def test_every_command_prints_one(printed: Documents) -> None:
    assert printed.commands() | {"demo"} == set(COMMANDS) - WITHOUT_A_DOCUMENT
    group = cli.get_command(click.Context(cli), "objects")
    assert isinstance(group, click.Group)
    assert {words[1] for words, _ in printed.printed if words[0] == "objects"} == set(group.commands)


def test_every_document_has_its_schema_and_version(printed: Documents) -> None:
    declared = {SCHEMA_PREFIX + document.schema for document in DOCUMENTS}
    for words, document in printed.printed:
        assert document["schema"] in declared, words
        assert document["version"] == OUTPUT_VERSION
        assert list(document)[:2] == ["schema", "version"]


@pytest.mark.parametrize("declared", [entry for entry in DOCUMENTS if entry.schema != "demo"], ids=lambda d: d.schema)
def test_members_are_those_that_are_declared(printed: Documents, declared: Document) -> None:
    found = printed.by_schema()[declared.schema]
    check_members(declared, found)


def check_members(declared: Document, found: list[Mapping[str, Any]]) -> None:
    names = {member.name for member in declared.members}
    assert set().union(*found) == names | HEAD
    for document in found:
        missing = names - set(document)
        assert missing <= {member.name for member in declared.members if member.is_optional}
    for member in declared.members:
        values = [document[member.name] for document in found if member.name in document]
        check_value(member, values)


def check_value(member: Member, values: list[Any]) -> None:
    """Objects, alone or in lists, have all the members that are declared and no others."""
    for value in values:
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict) and not member.has_any_members:
                assert set(entry) == set(member.members), member.name


def test_a_member_that_is_not_declared_is_found_out() -> None:
    declared = Document("x", "x", (Member("a", "."), Member("b", ".", ("c",))))
    check_members(declared, [{"schema": "", "version": 1, "a": 1, "b": [{"c": 1}]}])
    for members in ({"a": 1}, {"a": 1, "b": [], "d": 1}, {"a": 1, "b": [{"c": 1, "e": 2}]}, {"a": {"x": 1}, "b": {}}):
        with pytest.raises(AssertionError):
            check_members(declared, [{"schema": "", "version": 1, **members}])


def test_the_page_is_made_of_the_declarations(tool: ModuleType) -> None:
    page = (ROOT / "docs" / "commands-json.md").read_text(encoding="utf-8")
    assert page == tool.page().rstrip("\n") + "\n", "run 'python tools/build_json_page.py'"
    for document in DOCUMENTS:
        assert f"`{SCHEMA_PREFIX}{document.schema}`" in page
        assert document.command.split()[0] in COMMANDS


def test_the_demo_keeps_the_documents_of_its_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended:
        returncode = 0
        stdout = b'{"schema": "made up"}'

    monkeypatch.setattr("multi_x_serverless.cli.commands.demo.subprocess.run", lambda *_, **__: Ended)
    assert run(["--output", "json", "demo", "--directory", str(tmp_path / "demo")]) == 0
    document = json.loads(capsys.readouterr().out)
    check_members(next(entry for entry in DOCUMENTS if entry.schema == "demo"), [document])
    assert document["steps"][1]["command"] == ["--output", "json", "setup_tables"]
    assert {step["document"]["schema"] for step in document["steps"]} == {"made up"}
    Ended.returncode = 1
    assert run(["--output", "json", "demo", "--directory", str(tmp_path / "demo")]) == 1
    assert len(json.loads(capsys.readouterr().out)["steps"]) == 1
