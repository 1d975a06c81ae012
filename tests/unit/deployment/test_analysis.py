"""Static analysis: which graph a source gives, and which sources are refused with which line."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from multi_x_serverless.deployment.analysis import Analysis, analyse
from multi_x_serverless.errors import InvalidWorkflowError
from multi_x_serverless.model import documents
from multi_x_serverless.model.graph import Graph

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """\
from multi_x_serverless import MultiXServerlessWorkflow
workflow = MultiXServerlessWorkflow(name="example", version="0.0.1")
"""
HEAD_LINES = HEAD.count("\n")


def project(directory: Path, source: str, head: str = HEAD, **modules: str) -> Path:
    """A project whose `app.py` is head and source; in names of `modules` `__` is `/` and `INIT` is `__init__`."""
    (directory / "app.py").write_text(head + textwrap.dedent(source), encoding="utf-8")
    for name, text in modules.items():
        path = directory / (name.replace("__", "/").replace("INIT", "__init__") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return directory


def edges(graph: Graph) -> list[tuple[str, str]]:
    return [(graph.nodes[edge.source].name, graph.nodes[edge.target].name) for edge in graph.edges]


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes]


def refusal(directory: Path, source: str, head: str = HEAD, **modules: str) -> InvalidWorkflowError:
    with pytest.raises(InvalidWorkflowError) as caught:
        analyse(project(directory, source, head, **modules))
    return caught.value


def two_functions(body: str, more: str = "") -> str:
    """`start` with a body that may call `work`."""
    lines = ['@workflow.serverless_function(name="start", entry_point=True)', "def start(event):"]
    lines += ["    " + line for line in body.splitlines()]
    lines += ['@workflow.serverless_function(name="work")', "def work(event):", "    return event"]
    return "\n".join([*lines, *more.splitlines()]) + "\n"


CALL = "workflow.invoke_serverless_function(work, event)"


def conditions(directory: Path, body: str, more: str = "", **modules: str) -> list[bool]:
    graph = analyse(project(directory, two_functions(body, more), **modules)).graph
    return [edge.conditional for edge in graph.edges]


FAN_OUT_AND_JOIN = """
    @workflow.serverless_function(name="first", entry_point=True)
    def handle_first(event):
        workflow.invoke_serverless_function(handle_left, event)
        if event:
            workflow.invoke_serverless_function(handle_right, event)
        workflow.invoke_serverless_function(
            handle_join,
            event,
        )

    @workflow.serverless_function(name="join")
    def handle_join(event):
        return workflow.get_predecessor_data()

    @workflow.serverless_function(name="left")
    def handle_left(event):
        # workflow.invoke_serverless_function(handle_right)
        "workflow.invoke_serverless_function(handle_right)"
        workflow.invoke_serverless_function(handle_leaf, event, conditional=event["x"])
        workflow.invoke_serverless_function(handle_join, event)

    @workflow.serverless_function(name="right")
    def handle_right(event):
        workflow.invoke_serverless_function(handle_join, event, True)
        workflow.invoke_serverless_function(handle_leaf)

    @workflow.serverless_function(name="leaf")
    def handle_leaf(event):
        return event
"""


def test_fan_out_join_and_shared_leaf(tmp_path: Path) -> None:
    analysis = analyse(project(tmp_path, FAN_OUT_AND_JOIN))
    assert names(analysis.graph) == [
        "first:entry_point:0",
        "left:first_0_0:1",
        "right:first_0_1:2",
        "join:sync:3",
        "leaf:left_1_0:4",
        "leaf:right_2_1:5",
    ]
    assert edges(analysis.graph) == [
        ("first:entry_point:0", "left:first_0_0:1"),
        ("first:entry_point:0", "right:first_0_1:2"),
        ("first:entry_point:0", "join:sync:3"),
        ("left:first_0_0:1", "leaf:left_1_0:4"),
        ("left:first_0_0:1", "join:sync:3"),
        ("right:first_0_1:2", "join:sync:3"),
        ("right:first_0_1:2", "leaf:right_2_1:5"),
    ]
    assert [edge.conditional for edge in analysis.graph.edges] == [False, True, False, True, False, False, False]
    assert [node.sync for node in analysis.graph.nodes] == [False, False, False, True, False, False]


def test_sites_are_the_lines_of_the_whole_call(tmp_path: Path) -> None:
    graph = analyse(project(tmp_path, FAN_OUT_AND_JOIN)).graph
    joined = graph.edges[2]
    assert [(step.file, step.line, step.end_line) for step in joined.site] == [("app.py", 9, 12)]


def test_declarations_keep_the_order_and_the_attributes(tmp_path: Path) -> None:
    analysis = analyse(project(tmp_path, FAN_OUT_AND_JOIN))
    assert [(item.name, item.attribute, item.entry_point) for item in analysis.declarations] == [
        ("first", "handle_first", True),
        ("join", "handle_join", False),
        ("left", "handle_left", False),
        ("right", "handle_right", False),
        ("leaf", "handle_leaf", False),
    ]
    assert (analysis.module, analysis.variable) == ("app", "workflow")
    assert (analysis.workflow_name, analysis.workflow_version, analysis.workflow_line) == ("example", "0.0.1", 2)


def test_analysis_is_deterministic_and_survives_storage(tmp_path: Path) -> None:
    def once() -> Analysis:
        return analyse(project(tmp_path, FAN_OUT_AND_JOIN))

    graph = once().graph
    assert once().graph == graph
    document = documents.write("test", 1, graph.to_members())
    assert Graph.from_fields(documents.read(document, "test", 1)) == graph


def test_decorator_literals_are_read_with_their_lines(tmp_path: Path) -> None:
    source = """
        @workflow.serverless_function(
            name="start",
            entry_point=True,
            regions_and_providers={"allowed_regions": [{"provider": "aws", "region": "us-east-1"}]},
            environment_variables=[{"key": "A", "value": "b"}],
            delivery="at_least_once",
        )
        def start(event):
            return event
    """
    (declared,) = analyse(project(tmp_path, source)).declarations
    assert declared.regions_and_providers is not None
    assert declared.environment_variables is not None
    region = declared.regions_and_providers.required("allowed_regions").entries()[0].required("region")
    assert (region.value, region.line, region.path) == (
        "us-east-1",
        HEAD_LINES + 5,
        "regions_and_providers.allowed_regions[0].region",
    )


def test_nothing_of_the_project_is_executed(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    source = two_functions(CALL) + f"open({str(marker)!r}, 'w')\nraise SystemExit(1)\n"
    assert len(analyse(project(tmp_path, source)).graph.nodes) == 2
    assert not marker.exists()


def test_module_and_class_may_be_imported_under_other_names(tmp_path: Path) -> None:
    head = 'import multi_x_serverless as mxs\nflow = mxs.MultiXServerlessWorkflow("example", "0.0.1")\n'
    source = '@flow.serverless_function("start", True)\ndef start():\n    pass\n'
    analysis = analyse(project(tmp_path, source, head))
    assert (analysis.variable, analysis.graph.nodes[0].name) == ("flow", "start:entry_point:0")


def test_name_defaults_to_the_python_function(tmp_path: Path) -> None:
    source = "@workflow.serverless_function(entry_point=True)\ndef start(event):\n    pass\n"
    assert analyse(project(tmp_path, source)).declarations[0].name == "start"


# --- conditions


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (CALL, [False]),
        (f"if event:\n    {CALL}", [True]),
        (f"if event:\n    pass\nelse:\n    {CALL}", [True]),
        (f"try:\n    {CALL}\nexcept ValueError:\n    pass", [True]),
        (f"try:\n    pass\nexcept ValueError:\n    {CALL}", [True]),
        (f"try:\n    {CALL}\nfinally:\n    pass", [False]),
        (f"try:\n    return 1\nfinally:\n    {CALL}", [False]),
        (f"try:\n    int(event)\nexcept ValueError:\n    return\n{CALL}", [True]),
        (f"with open('x'):\n    {CALL}", [False]),
        (f"with contextlib.suppress(OSError):\n    {CALL}", [True]),
        (f"match event:\n    case 1:\n        {CALL}", [True]),
        (f"event and {CALL}", [True]),
        (f"{CALL} or event", [False]),
        (f"{CALL} if event else None", [True]),
        (f"if event is None:\n    return\n{CALL}", [True]),
        (f"if event is None:\n    raise ValueError\n{CALL}", [False]),
        (f"for x in event:\n    if x: return\n{CALL}", [True]),
        (f"for x in event:\n    pass\nelse:\n    {CALL}", [True]),
        (f"for x in [{CALL}]:\n    pass", [False]),
        (f"x = [y for y in [{CALL}]]", [False]),
        (f"return {CALL}", [False]),
        (CALL.replace("event)", "event, conditional=True)"), [False]),
        (CALL.replace("event)", "event, conditional=False)"), [True]),
        (CALL.replace("event)", "event, event > 1)"), [True]),
        (CALL.replace("work, event", "payload=event, function=work"), [False]),
    ],
)
def test_conditions(tmp_path: Path, body: str, expected: list[bool]) -> None:
    assert conditions(tmp_path, body) == expected


# --- helpers


def test_helpers_are_followed_in_order_with_the_chain_of_calls(tmp_path: Path) -> None:
    body = "prepare(event)\nif event:\n    send(event)\nworkflow.invoke_serverless_function(work, 3)"
    more = (
        "def prepare(event):\n    workflow.invoke_serverless_function(work, 1)\n"
        "def send(event):\n    deliver(event)\n"
        "def deliver(event):\n    workflow.invoke_serverless_function(work, 2)\n"
    )
    graph = analyse(project(tmp_path, two_functions(body, more))).graph
    assert [[step.line for step in edge.site] for edge in graph.edges] == [[5, 13], [7, 15, 17], [8]]
    assert [edge.conditional for edge in graph.edges] == [False, True, False]


def test_return_in_a_helper_leaves_only_the_helper(tmp_path: Path) -> None:
    more = f"def helper(event):\n    if event:\n        return\n    {CALL}\n"
    assert conditions(tmp_path, f"helper(event)\n{CALL}", more) == [True, False]


def test_one_helper_called_twice_is_two_edges(tmp_path: Path) -> None:
    more = f"def helper(event):\n    {CALL}\n"
    graph = analyse(project(tmp_path, two_functions("helper(1)\nhelper(2)", more))).graph
    assert names(graph)[1:] == ["work:start_0_0:1", "work:start_0_1:2"]


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("from helpers import send", "send(workflow, work, event)"),
        ("from helpers import send as deliver", "deliver(workflow, target=work, payload=event)"),
        ("import helpers", "helpers.send(workflow, work, event)"),
        ("import helpers as h", "h.send(workflow, work, event)"),
        ("from helpers import *", "send(workflow, work, event)"),
        ("from package import send", "send(workflow, work, event)"),
        ("import package.inner", "package.inner.send(workflow, work, event)"),
        ("from package import inner", "inner.send(workflow, work, event)"),
        ("from package.outer import hand_on", "hand_on(workflow, work, event)"),
    ],
)
def test_helpers_in_modules_are_followed(tmp_path: Path, imports: str, call: str) -> None:
    send = "def send(workflow, target, payload):\n    workflow.invoke_serverless_function(target, payload)\n"
    modules = {
        "helpers": send,
        "package__INIT": "from .inner import send\n",
        "package__inner": send,
        "package__outer": (
            "from . import inner\n\ndef hand_on(flow, function, payload):\n"
            "    return inner.send(flow, function, payload)\n"
        ),
    }
    (tmp_path / "package").mkdir()
    graph = analyse(project(tmp_path, f"{imports}\n" + two_functions(call), **modules)).graph
    assert names(graph) == ["start:entry_point:0", "work:start_0_0:1"]
    assert graph.edges[0].site[0].file == "app.py"
    assert graph.edges[0].site[-1].file in {"helpers.py", "package/inner.py"}


def test_import_inside_a_function_and_target_imported_from_app(tmp_path: Path) -> None:
    helper = "def send(flow):\n    from app import work\n    flow.invoke_serverless_function(work)\n"
    body = "from helpers import send\nsend(workflow)"
    assert len(analyse(project(tmp_path, two_functions(body), helpers=helper)).graph.edges) == 1


def test_nested_function_is_followed_where_it_is_called(tmp_path: Path) -> None:
    body = f"def send(event):\n    {CALL}\n{CALL}\nsend(event)"
    graph = analyse(project(tmp_path, two_functions(body))).graph
    assert [[step.line for step in edge.site] for edge in graph.edges] == [[7], [8, 6]]


def test_sync_node_may_read_in_a_helper(tmp_path: Path) -> None:
    source = two_functions(CALL).replace("return event", "return gather()")
    source += "def gather():\n    return sum(workflow.get_predecessor_data())\n"
    assert analyse(project(tmp_path, source)).graph.nodes[1].sync


def test_functions_of_no_concern_may_recurse_loop_and_be_passed_on(tmp_path: Path) -> None:
    body = f"x = [depth(y) for y in event]\nmap(depth, event)\nsorted(event, key=lambda y: -y)\n{CALL}"
    more = "def depth(tree):\n    return 1 + max(depth(child) for child in tree)\n"
    assert conditions(tmp_path, body, more) == [False]


# --- refusals


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        (f"for x in event:\n    {CALL}", 6, "stands in a loop (line 5)"),
        (f"while event:\n    {CALL}", 6, "stands in a loop (line 5)"),
        (f"while {CALL}:\n    pass", 5, "stands in a loop (line 5)"),
        (f"x = [{CALL} for y in event]", 5, "stands in a loop"),
        (f"x = {{y: {CALL} for y in event}}", 5, "stands in a loop"),
        (f"x = list({CALL} for y in event)", 5, "stands in a loop"),
        (f"x = [1 for y in event for z in [{CALL}]]", 5, "stands in a loop"),
        ("workflow.invoke_serverless_function()", 5, "names no function"),
        ("workflow.invoke_serverless_function(len, 1)", 5, "calls 'len', which the analysis cannot tell"),
        ("workflow.invoke_serverless_function('work')", 5, "name one of start, work directly"),
        ("target = work\nworkflow.invoke_serverless_function(target)", 6, "calls 'target'"),
        ("work = event['f']\nworkflow.invoke_serverless_function(work)", 6, "calls 'work'"),
        ("workflow.invoke_serverless_function([work][0])", 5, "calls '[work][0]'"),
        ("workflow.invoke_serverless_function(*event)", 5, "'*' and '**'"),
        ("workflow.invoke_serverless_function(work, **event)", 5, "'*' and '**'"),
        ("call = workflow.invoke_serverless_function\ncall(work)", 5, "is used as a value"),
        ("getattr(workflow, 'invoke_serverless_function')(work)", 5, "fetched by its name as text"),
        (f"f = lambda: {CALL}\nf()", 5, "where the analysis cannot follow"),
        (f"class A:\n    def m(self, event):\n        {CALL}\nA().m(event)", 7, "where the analysis cannot follow"),
        (f"{CALL}; {CALL}", 5, "share a line"),
        (f"{CALL} if event else {CALL}", 5, "share a line"),
    ],
)
def test_calls_that_cannot_be_analysed(tmp_path: Path, body: str, line: int, words: str) -> None:
    error = refusal(tmp_path, two_functions(body, "def unused(): pass"))
    assert words in str(error)
    assert error.line == line
    assert str(error).startswith(f"app.py:{line}: ")


@pytest.mark.parametrize(
    ("body", "more", "words"),
    [
        ("for x in event:\n    send(x)", f"def send(event):\n    {CALL}", "(reached by the call at app.py:6)"),
        ("send(event)", f"def send(event):\n    for x in event:\n        {CALL}", "in a loop (line 10)"),
        ("send(event)", f"def send(event):\n    {CALL}\n    send(event)", "unroll the recursion"),
        ("list(map(send, event))", f"def send(event):\n    {CALL}", "is used as a value here"),
        ("later = send", f"def send(event):\n    {CALL}", "is used as a value here"),
        ("list(send(event))", f"def send(event):\n    yield {CALL}", "is a generator or 'async'"),
        ("send(event)", f"async def send(event):\n    {CALL}", "is a generator or 'async'"),
        ("pass", f"def send(event):\n    {CALL}", "outside any registered function"),
        ("pass", "workflow.invoke_serverless_function(work)", "outside any registered function"),
        ("send()", f"def send():\n    a()\n    b()\ndef a(): b()\ndef b(): {CALL}", None),
        ("send(1); send(2)", f"def send(event):\n    {CALL}", "share a line"),
    ],
)
def test_helpers_that_cannot_be_followed(tmp_path: Path, body: str, more: str, words: str | None) -> None:
    if words is None:
        assert len(analyse(project(tmp_path, two_functions(body, more))).graph.edges) == 2
    else:
        assert words in str(refusal(tmp_path, two_functions(body, more)))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "has no serverless function"),
        ("@workflow.serverless_function(name='a')\ndef a(): pass", "has no entry"),
        (
            (
                "@workflow.serverless_function(name='a', entry_point=True)\ndef a(): pass\n"
                "@workflow.serverless_function(name='b', entry_point=True)\ndef b(): pass"
            ),
            "'b' is a second entry beside 'a'",
        ),
        (
            (
                "@workflow.serverless_function(name='a', entry_point=True)\ndef a(): pass\n"
                "@workflow.serverless_function(name='a')\ndef b(): pass"
            ),
            "a second function is named 'a'; the first is on line 4",
        ),
        (
            (
                "@workflow.serverless_function(name='a', entry_point=True)\ndef a(): pass\n"
                "@workflow.serverless_function(name='b')\ndef a(): pass"
            ),
            "'a' is decorated twice",
        ),
        (
            (
                "@workflow.serverless_function(name='a', entry_point=True)\ndef a(): pass\n"
                "@workflow.serverless_function(name='b')\ndef b(): pass"
            ),
            "'b' is not reached from the entry 'a'",
        ),
        (
            "@workflow.serverless_function(name='a', entry_point=True)\ndef a(): workflow.get_predecessor_data()",
            "nothing precedes it",
        ),
        (
            (
                "@workflow.serverless_function(name='a', entry_point=True)\ndef a():\n"
                "    workflow.invoke_serverless_function(a)"
            ),
            "closes a circle (a -> a)",
        ),
        (
            (
                "@workflow.serverless_function(name='a', entry_point=True)\ndef a():\n"
                "    workflow.invoke_serverless_function(b)\n"
                "@workflow.serverless_function(name='b')\ndef b():\n    workflow.invoke_serverless_function(a)"
            ),
            "closes a circle (a -> b -> a)",
        ),
        (
            (
                "@workflow.serverless_function(name='a', entry_point=True)\ndef a():\n    b(1)\n"
                "    workflow.invoke_serverless_function(b)\n"
                "@workflow.serverless_function(name='b')\ndef b():\n    workflow.invoke_serverless_function(c)\n"
                "@workflow.serverless_function(name='c')\ndef c(): pass"
            ),
            "'b' is called directly",
        ),
        ("@workflow.serverless_function(name='1a', entry_point=True)\ndef a(): pass", "must be a letter"),
        ("@workflow.serverless_function(name=NAME, entry_point=True)\ndef a(): pass", "'name' is no literal"),
        ("@workflow.serverless_function(name=1, entry_point=True)\ndef a(): pass", "with quotes"),
        ("@workflow.serverless_function(name='a', entry_point=1)\ndef a(): pass", "expected True or False"),
        ("@workflow.serverless_function(nam='a')\ndef a(): pass", "no argument 'nam' (did you mean 'name'?)"),
        ("@workflow.serverless_function(**X)\ndef a(): pass", "'**' in 'serverless_function' cannot be read"),
        ("@workflow.serverless_function\ndef a(): pass", "call the decorator"),
        ("@other.serverless_function(name='a')\ndef a(): pass", "must be '@workflow.serverless_function(...)'"),
        ("if True:\n    @workflow.serverless_function(name='a')\n    def a(): pass", "at the top level"),
        ("x = workflow.serverless_function(name='a')(len)", "must decorate a function at the top level"),
        ("@workflow.serverless_function(name='a', entry_point=True)\nasync def a(): pass", "is 'async'"),
        ("@workflow.serverless_function(name='a', entry_point=True)\ndef a(): yield 1", "'a' yields"),
        ("@workflow.serverless_function(name='a', entry_point=True)\ndef a(x, y): pass", "needs 2 arguments"),
        (
            (
                "@workflow.serverless_function(name='a', entry_point=True, environment_variables=[{'key': K}])\n"
                "def a(): pass"
            ),
            "'environment_variables[0].key' is no literal",
        ),
        (
            "@workflow.serverless_function(name='a', entry_point=True, delivery='at_most_once')\ndef a(): pass",
            "at_least_once",
        ),
        ("workflow = MultiXServerlessWorkflow('b', '0.0.2')", "makes a second workflow; the first is on line 2"),
        ("def a(:", "is not valid Python"),
    ],
)
def test_declarations_that_are_refused(tmp_path: Path, source: str, words: str) -> None:
    assert words in str(refusal(tmp_path, source + "\n"))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("", "makes no workflow"),
        (HEAD.replace('"0.0.1"', '"1"'), "must be three numbers"),
        (HEAD.replace('"example"', '"an example"'), "must be a letter"),
        (HEAD.replace('"example"', "NAME"), "'name' is no literal"),
        (HEAD.replace(', version="0.0.1"', ""), "the argument 'version' is missing"),
        (HEAD.replace("workflow =", "a = b ="), "one plain name"),
    ],
)
def test_workflow_objects_that_are_refused(tmp_path: Path, head: str, words: str) -> None:
    assert words in str(refusal(tmp_path, "", head))


def test_project_without_source(tmp_path: Path) -> None:
    with pytest.raises(InvalidWorkflowError, match="there is no such file"):
        analyse(tmp_path)


def test_error_in_an_imported_module_names_it(tmp_path: Path) -> None:
    error = refusal(tmp_path, "import helpers\n" + two_functions(CALL), helpers="def (:\n")
    assert (error.file, error.line) == ("helpers.py", 1)


def test_tree_that_doubles_at_every_level_is_refused(tmp_path: Path) -> None:
    def level(number: int) -> str:
        calls = f"    workflow.invoke_serverless_function(f{number + 1})\n" * 2 if number < 9 else "    pass\n"
        entry = ", entry_point=True" if number == 0 else ""
        return f"@workflow.serverless_function(name='f{number}'{entry})\ndef f{number}():\n{calls}"

    error = refusal(tmp_path, "".join(level(number) for number in range(10)))
    assert "more than 500 nodes" in str(error)
