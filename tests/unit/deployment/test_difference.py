"""Which permissions and settings a deployment changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from multi_x_serverless.cloud.tables import create_tables
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.difference import Permission, permission_changes, setting_changes
from tests.fakes import FakeCloud
from tests.unit.deployment.projects import CONFIGURATION, SOURCE, make_project, record_of


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def test_statements_are_taken_apart() -> None:
    changes = permission_changes(
        policy(allow(["s3:GetObject", "s3:PutObject"], "a")),
        policy(allow("s3:GetObject", ["a", "b"]), {"Effect": "Deny", "NotAction": ["x", "w"], "NotResource": "c"}),
    )
    assert changes.added == (Permission("Allow", "s3:GetObject", "b"), Permission("Deny", "all but w, x", "all but c"))
    assert changes.removed == (Permission("Allow", "s3:PutObject", "a"),)


def test_a_condition_makes_another_permission() -> None:
    free, bound = allow("a:B", "r"), allow("a:B", "r", Condition={"StringEquals": {"k": "v"}})
    changes = permission_changes(policy(free), policy(bound))
    assert changes.added == (Permission("Allow", "a:B", "r", '{"StringEquals": {"k": "v"}}'),)
    assert changes.removed == (Permission("Allow", "a:B", "r"),)


def test_the_same_said_otherwise_is_no_change() -> None:
    assert permission_changes(policy(allow(["a:B", "a:C"], "r")), policy(allow("a:C", "r"), allow("a:B", "r"))) == (
        permission_changes(policy(), policy())
    )


def test_without_a_role_everything_is_added() -> None:
    assert permission_changes(None, policy(allow("a:B", "r"))).added == (Permission("Allow", "a:B", "r"),)


def test_a_dry_run_holds_what_is_against_what_would_be(tmp_path: Path) -> None:
    cloud = FakeCloud()
    create_tables(cloud, cloud.regions)
    project = make_project(tmp_path)
    first = deploy(cloud, project, dry_run=True).preview
    assert first is not None
    assert (first.before, first.plan_before, first.plan_after) == (None, None, None)
    assert setting_changes(first.before, first.after) == ()
    deploy(cloud, project)
    make_project(
        tmp_path,
        source=SOURCE.replace(
            'name="left"', 'name="left", environment_variables=[{"key": "TOKEN", "value": "s3cret"}]'
        ),
        configuration=CONFIGURATION + "  providers: {aws: {config: {memory: 1024, timeout: 60}}}\n",
    )
    preview = deploy(cloud, project, dry_run=True).preview
    assert preview is not None
    assert preview.before == record_of(cloud)
    assert preview.plan_before == preview.plan_after is not None
    changes = setting_changes(preview.before, preview.after)
    assert {(change.function, change.setting, change.before, change.after) for change in changes} == {
        ("first", "memory (MB)", "512", "1024"),
        ("left", "memory (MB)", "512", "1024"),
        ("join", "memory (MB)", "512", "1024"),
        ("left", "variable TOKEN", "", "set"),
    }
    assert "s3cret" not in repr(changes)
