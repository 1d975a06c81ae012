"""``objects``: ``put``, ``get``, ``list`` and ``delete``."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from multi_x_serverless.cli.console import open_console
from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.options import workflow_argument
from multi_x_serverless.cli.output import Column, counted, size, write_json, write_table, write_text
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.cli.table_layout import column_widths
from multi_x_serverless.errors import NothingToDoError

_SIZE_WIDTH = 7
"""Of a number of bytes in words: three figures, a point and a unit."""

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.objects import WorkflowObject

region_option = click.option(
    "--region", metavar="REGION", help="Region of the objects.  [default: the workflow's home region]"
)
"""Only needed for what a removed workflow has left in several regions."""


@click.group("objects")
def command() -> None:
    """Store, fetch, list or delete the objects that a workflow works with.

    Functions reach them with workflow.read_object(KEY) and workflow.write_object(KEY, BODY). They lie in the workflow's
    home region, in S3 on AWS, and stay until they are deleted.
    """


@command.command("put")
@workflow_argument()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--key", help="Key of the object, for example input/picture.png.  [default: the name of FILE]")
@pass_settings
@says_what_is_left(
    "the object is stored whole or not at all: 'multi_x_serverless objects list {workflow_id}' shows whether it was."
)
def put(settings: Settings, workflow_id: str, file: Path, key: str | None) -> None:
    """Store FILE as an object of WORKFLOW_ID.

    An object of the same key is replaced. FILE - is standard input.
    """
    from multi_x_serverless.cli.problem_file import STANDARD_INPUT, read_document

    if key is None and file == STANDARD_INPUT:
        raise click.UsageError("Standard input has no name: give one with --key.")
    name = file.name if key is None else key
    body = read_document(file)
    with settings.open_cloud() as cloud:
        from multi_x_serverless.adaptation.objects import put_object

        with terminal_status(settings, f"storing {name}"):
            region = put_object(cloud, workflow_id, name, body)
    if settings.is_json:
        write_json("objects_put", {"workflow_id": workflow_id, "key": name, "size_bytes": len(body), "region": region})
    settings.say(f"Stored {name} ({size(len(body))}) in {region}.")


@command.command("get")
@workflow_argument()
@click.argument("key")
@click.option(
    "-o",
    "output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write.  [default: standard output]",
)
@region_option
@pass_settings
def get(settings: Settings, workflow_id: str, key: str, output: Path | None, region: str | None) -> None:
    """Fetch the object KEY of WORKFLOW_ID."""
    from multi_x_serverless.cli.problem_file import require_directory, write_document

    if settings.is_json and output is None:
        raise click.UsageError("With --output json the object needs a file: name one with -o.")
    require_directory(output)
    with settings.open_cloud(exclusive=False) as cloud:
        from multi_x_serverless.adaptation.objects import get_object, region_of_objects

        place = region_of_objects(cloud, workflow_id, region)
        with terminal_status(settings, f"fetching {key}"):
            body = get_object(cloud, workflow_id, key, region=place)
    if output is None:
        click.echo(body, nl=False)
        return
    write_document(output, body)
    if settings.is_json:
        members = {"workflow_id": workflow_id, "key": key, "size_bytes": len(body), "region": place}
        write_json("objects_get", {**members, "file": str(output)})
    settings.say(f"Wrote {output} ({size(len(body))}).")


@command.command("list")
@workflow_argument()
@click.option("--prefix", default="", help="Only objects whose keys begin with this.")
@region_option
@pass_settings
def list_command(settings: Settings, workflow_id: str, prefix: str, region: str | None) -> None:
    """List the objects of WORKFLOW_ID.

    Those that a removed workflow has left are listed too.
    """
    with settings.open_cloud(exclusive=False) as cloud:
        from multi_x_serverless.adaptation.objects import list_objects, region_of_objects

        place = region_of_objects(cloud, workflow_id, region)
        found = list_objects(cloud, workflow_id, region=place, prefix=prefix)
    if settings.is_json:
        entries = [
            {"key": entry.key, "size_bytes": entry.size_bytes, "stored_at": _time(entry.stored_at)} for entry in found
        ]
        write_json("objects_list", {"workflow_id": workflow_id, "region": place, "objects": entries})
    elif not found:
        write_text(f"{_none(workflow_id, prefix, place)}.")
    else:
        show_objects(settings, place, found)


@command.command("delete")
@workflow_argument()
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option("--prefix", help="Delete all objects whose keys begin with this.")
@click.option("--all", "deletes_all", is_flag=True, help="Delete all objects of the workflow.")
@region_option
@pass_settings
@says_what_is_left(
    "objects that were deleted are gone, 'multi_x_serverless objects list {workflow_id}' shows the rest."
)
def delete(
    settings: Settings,
    workflow_id: str,
    keys: tuple[str, ...],
    prefix: str | None,
    deletes_all: bool,
    region: str | None,
) -> None:
    """Delete objects of WORKFLOW_ID.

    Those named by KEY (if one of them does not exist, nothing is deleted), those that --prefix tells, or --all; also
    those that a removed workflow has left.
    """
    if bool(keys) + bool(prefix) + deletes_all != 1:
        raise click.UsageError("Give the keys of the objects, or --prefix, or --all.")
    with settings.open_cloud() as cloud:
        from multi_x_serverless.adaptation.objects import (
            delete_objects,
            list_objects,
            region_of_objects,
            require_objects,
        )

        place = region_of_objects(cloud, workflow_id, region)
        if keys:
            chosen = require_objects(cloud, workflow_id, keys, region=place)
        else:
            found = list_objects(cloud, workflow_id, region=place, prefix=prefix or "")
            chosen = tuple(entry.key for entry in found)
        if not chosen:
            raise NothingToDoError(f"{_none(workflow_id, prefix, place)}; there is nothing to delete.")
        settings.confirm(f"Delete {counted(len(chosen), 'object')} of {workflow_id} for good?")
        with terminal_status(settings, "deleting"):
            delete_objects(cloud, workflow_id, chosen, region=place)
    if settings.is_json:
        write_json("objects_delete", {"workflow_id": workflow_id, "region": place, "deleted": list(chosen)})
    settings.say(f"Deleted {counted(len(chosen), 'object')} in {place}.")


def show_objects(settings: Settings, region: str, objects: tuple[WorkflowObject, ...]) -> None:
    """Objects as a table, or in lines if a key is too long for it: keys stand last and whole, they are copied."""
    columns = [Column("size", is_number=True), Column("stored (UTC)", is_whole=True), Column("key", is_whole=True)]
    rows = [[size(entry.size_bytes), _time(entry.stored_at)[:19].replace("T", " "), entry.key] for entry in objects]
    total = size(sum(entry.size_bytes for entry in objects))
    note = f"{counted(len(objects), 'object')}, {total}, in {region}"
    if column_widths(columns, rows, open_console(settings).width) is not None:
        write_table(settings, "", columns, rows, note=note)
        return
    for amount, stored, key in rows:
        write_text(f"{amount:>{_SIZE_WIDTH}}  {stored}  {key}")
    write_text(f"\n{note}")


def _none(workflow_id: str, prefix: str | None, region: str) -> str:
    begins = f" whose key begins with '{prefix}'" if prefix else ""
    return f"{workflow_id} has no object{begins} in {region}"


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=timezone.utc).isoformat(timespec="seconds")
