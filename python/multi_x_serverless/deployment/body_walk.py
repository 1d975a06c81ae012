"""A walk through one function's body, in execution order, that gathers its calls of serverless functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from multi_x_serverless.deployment.callees import INVOKE, PREDECESSOR_DATA, Callees
from multi_x_serverless.deployment.declarations import is_generator
from multi_x_serverless.deployment.source import Definition, FunctionSource
from multi_x_serverless.errors import InvalidWorkflowError
from multi_x_serverless.model.graph import CallStep

_INVOKE_ARGUMENTS = ("function", "payload", "conditional")

Bindings = Mapping[str, str | None]
"""Parameter of a helper -> registered function it stands for in one call, `None` if it is not known."""


@dataclass(frozen=True)
class CallSite:
    """One call of a registered function.

    Attributes:
        target: Name of the function in the workflow.
        steps: The calls that lead there and the call itself, outermost first.
        conditional: Whether the run may pass it by.
    """

    target: str
    steps: tuple[CallStep, ...]
    conditional: bool

    @property
    def position(self) -> CallStep:
        """The call itself."""
        return self.steps[-1]


@dataclass(frozen=True)
class FunctionCalls:
    """What one registered function does: its calls in order, and whether it reads predecessors' data."""

    sites: tuple[CallSite, ...]
    joins: bool


def walk_body(callees: Callees, source: FunctionSource) -> FunctionCalls:
    """The calls of a registered function, those of its helpers included.

    Raises:
        InvalidWorkflowError: A call that cannot be analysed.
    """
    walk = _BodyWalk(callees, source)
    walk.run()
    return FunctionCalls(tuple(walk.sites), walk.joins)


class _BodyWalk(ast.NodeVisitor):
    """One function's body; helpers that lead to calls are walked where they are called.

    Args:
        callees: What the project's functions are.
        source: The function.
        steps: The calls that led to it, outermost first; none for a registered function.
        stack: The functions that are being walked, outermost first.
        bindings: What its parameters stand for.
        conditional: Whether it was called under a condition.
        loop: Line of the loop it was called in.
        enclosing: Functions defined in the functions around it.

    Attributes:
        sites: The calls found, in order.
        joins: Whether predecessors' data is read.
    """

    def __init__(
        self,
        callees: Callees,
        source: FunctionSource,
        *,
        steps: tuple[CallStep, ...] = (),
        stack: tuple[Definition, ...] = (),
        bindings: Bindings | None = None,
        conditional: bool = False,
        loop: int | None = None,
        enclosing: Mapping[str, FunctionSource] | None = None,
    ) -> None:
        self.sites: list[CallSite] = []
        self.joins = False
        self._callees = callees
        self._source = source
        self._module = source.module
        self._steps = steps
        self._stack = (*stack, source.definition)
        self._bindings = bindings or {}
        self._conditional = conditional
        self._loop = loop
        self._may_have_returned = False
        self._local = {**(enclosing or {}), **_local_functions(source)}
        self._parameters = _parameter_names(source.definition)
        self._stored = _stored_names(source.definition)

    def run(self) -> None:
        """Walk the body."""
        for statement in self._source.definition.body:
            self.visit(statement)

    # --- conditions and loops

    @contextmanager
    def _under_condition(self) -> Iterator[None]:
        before, self._conditional = self._conditional, True
        yield
        self._conditional = before

    @contextmanager
    def _in_loop(self, node: ast.stmt | ast.expr) -> Iterator[None]:
        before, self._loop = self._loop, self._loop or node.lineno
        yield
        self._loop = before

    def _visit_all(self, nodes: list[ast.stmt] | list[ast.expr]) -> None:
        for node in nodes:
            self.visit(node)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        with self._under_condition():
            self._visit_all(node.body)
            self._visit_all(node.orelse)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        with self._under_condition():
            self.visit(node.body)
            self.visit(node.orelse)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self.visit(node.values[0])
        with self._under_condition():
            self._visit_all(node.values[1:])

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        with self._under_condition():
            for case in node.cases:
                if case.guard is not None:
                    self.visit(case.guard)
                self._visit_all(case.body)

    def visit_Try(self, node: ast.Try) -> None:
        returned_before = self._may_have_returned
        if node.handlers:
            with self._under_condition():
                self._visit_all(node.body)
                for handler in node.handlers:
                    self._visit_all(handler.body)
                self._visit_all(node.orelse)
        else:
            self._visit_all(node.body)
        returned_inside = self._may_have_returned
        # `finally` runs however the body is left.
        self._may_have_returned = returned_before
        self._visit_all(node.finalbody)
        self._may_have_returned = self._may_have_returned or returned_inside

    visit_TryStar = visit_Try  # noqa: N815 - named by ast

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            self.visit(item.context_expr)
        if any(_suppresses(item.context_expr) for item in node.items):
            with self._under_condition():
                self._visit_all(node.body)
        else:
            self._visit_all(node.body)

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        with self._in_loop(node):
            self._visit_all(node.body)
        with self._under_condition():
            self._visit_all(node.orelse)

    def visit_While(self, node: ast.While) -> None:
        with self._in_loop(node):
            self.visit(node.test)
            self._visit_all(node.body)
        with self._under_condition():
            self._visit_all(node.orelse)

    def _visit_comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, results: list[ast.expr]
    ) -> None:
        self.visit(node.generators[0].iter)
        with self._in_loop(node):
            for index, generator in enumerate(node.generators):
                if index:
                    self.visit(generator.iter)
                self._visit_all(generator.ifs)
            self._visit_all(results)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._visit_comprehension(node, [node.elt])

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._visit_comprehension(node, [node.elt])

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._visit_comprehension(node, [node.elt])

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._visit_comprehension(node, [node.key, node.value])

    def visit_Return(self, node: ast.Return) -> None:
        self.generic_visit(node)
        self._may_have_returned = True

    # --- bodies that do not run where they stand

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_all(node.decorator_list)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_all(node.decorator_list)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """A lambda's body runs when and where nobody can tell; calls in it are reported as unreached."""

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Methods are not followed; calls in them are reported as unreached."""

    # --- calls

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr == INVOKE:
            self._visit_arguments(node)
            self._callees.mark_reached(function)
            self._add_site(node)
            return
        if isinstance(function, ast.Attribute) and function.attr in PREDECESSOR_DATA:
            self.joins = True
            self._visit_arguments(node)
            return
        if _gets_invoke_by_name(node):
            raise self._error(node, f"'{INVOKE}' is fetched by its name as text; call it as a method.")
        helper = self._function_for(function)
        if helper is None:
            self.generic_visit(node)
            return
        self._visit_arguments(node)
        if helper in self._local.values() or self._callees.leads_to_calls(helper):
            self._follow(node, helper)

    def _visit_arguments(self, node: ast.Call) -> None:
        self._visit_all(node.args)
        for keyword in node.keywords:
            self.visit(keyword.value)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr == INVOKE:
            raise self._error(
                node,
                f"'{INVOKE}' is used as a value; the analysis follows direct calls only, so call it here.",
            )
        if node.attr in PREDECESSOR_DATA:
            self.joins = True
        self._refuse_helper_as_value(node)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._refuse_helper_as_value(node)

    def _refuse_helper_as_value(self, node: ast.Name | ast.Attribute) -> None:
        helper = self._function_for(node)
        if (
            helper is not None
            and self._callees.registered_name(helper) is None
            and self._callees.leads_to_calls(helper)
        ):
            raise self._error(
                node,
                f"'{helper.name}' calls serverless functions and is used as a value here; the analysis "
                "follows direct calls only, so call it by its name.",
            )

    def _function_for(self, expression: ast.expr) -> FunctionSource | None:
        if isinstance(expression, ast.Name):
            if expression.id in self._local:
                return self._local[expression.id]
            if expression.id in self._bindings or expression.id in self._parameters | self._stored:
                return None
        return self._callees.resolve(self._module, expression)

    def _follow(self, node: ast.Call, helper: FunctionSource) -> None:
        name = self._callees.registered_name(helper)
        if name is not None:
            raise self._error(
                node,
                f"the registered function '{name}' is called directly; call it with '{INVOKE}', or move what "
                "both need into a helper.",
            )
        definition = helper.definition
        if definition in self._stack:
            if self._callees.leads_to_calls(helper):
                raise self._error(node, f"'{helper.name}' calls itself and serverless functions; unroll the recursion.")
            return
        lazy = isinstance(definition, ast.AsyncFunctionDef) or is_generator(definition)
        if lazy and self._callees.leads_to_calls(helper):
            raise self._error(
                node,
                f"'{helper.name}' calls serverless functions but is a generator or 'async'; make it plain.",
            )
        is_local = helper in self._local.values()
        walk = _BodyWalk(
            self._callees,
            helper,
            steps=(*self._steps, self._step(node)),
            stack=self._stack,
            bindings={**(self._bindings if is_local else {}), **self._bind(node, definition)},
            conditional=self._is_conditional,
            loop=self._loop,
            enclosing=self._local if is_local else None,
        )
        walk.run()
        self.sites += walk.sites
        self.joins = self.joins or walk.joins

    def _bind(self, node: ast.Call, definition: Definition) -> dict[str, str | None]:
        """Which registered function each parameter of a helper stands for in one call."""
        arguments = definition.args
        positional = [parameter.arg for parameter in (*arguments.posonlyargs, *arguments.args)]
        bound: dict[str, str | None] = dict.fromkeys(
            (*positional, *(parameter.arg for parameter in arguments.kwonlyargs)), None
        )
        for parameter, value in zip(positional, node.args, strict=False):
            if isinstance(value, ast.Starred):
                break
            bound[parameter] = self._registered(value)
        for keyword in node.keywords:
            if keyword.arg in bound:
                bound[keyword.arg] = self._registered(keyword.value)
        return bound

    def _registered(self, expression: ast.expr) -> str | None:
        """Name of the registered function an expression stands for."""
        if isinstance(expression, ast.Name) and expression.id in self._bindings:
            return None if expression.id in self._stored else self._bindings[expression.id]
        source = self._function_for(expression)
        return None if source is None else self._callees.registered_name(source)

    # --- sites

    @property
    def _is_conditional(self) -> bool:
        return self._conditional or self._may_have_returned

    def _add_site(self, node: ast.Call) -> None:
        arguments = self._invoke_arguments(node)
        function = arguments.get("function")
        if function is None:
            raise self._error(node, f"'{INVOKE}' names no function; its first argument is the function to call.")
        target = self._registered(function)
        if target is None:
            shown = ast.unparse(function)
            known = ", ".join(self._callees.known_names)
            raise self._error(
                node,
                f"'{INVOKE}' calls '{shown}', which the analysis cannot tell to be a registered function; "
                f"name one of {known} directly.",
            )
        if self._loop is not None:
            raise self._error(
                node,
                f"'{INVOKE}' stands in a loop (line {self._loop}), so the number of calls is not known "
                "before the run; write the calls out, or pass the whole list to one function.",
            )
        condition = arguments.get("conditional")
        always = condition is None or (isinstance(condition, ast.Constant) and condition.value is True)
        self.sites.append(CallSite(target, (*self._steps, self._step(node)), self._is_conditional or not always))

    def _invoke_arguments(self, node: ast.Call) -> dict[str, ast.expr]:
        if any(isinstance(value, ast.Starred) for value in node.args) or any(
            keyword.arg is None for keyword in node.keywords
        ):
            raise self._error(node, f"'*' and '**' in '{INVOKE}' cannot be analysed; write the arguments out.")
        given = dict(zip(_INVOKE_ARGUMENTS, node.args, strict=False))
        given.update({keyword.arg: keyword.value for keyword in node.keywords if keyword.arg is not None})
        return given

    def _step(self, node: ast.Call) -> CallStep:
        return CallStep(self._module.file, node.lineno, node.end_lineno or node.lineno)

    def _error(self, node: ast.expr, message: str) -> InvalidWorkflowError:
        if self._steps:
            chain = ", ".join(f"{step.file}:{step.line}" for step in self._steps)
            message = f"{message[:-1]} (reached by the call at {chain})."
        return InvalidWorkflowError(message, file=self._module.file, line=node.lineno)


def _gets_invoke_by_name(node: ast.Call) -> bool:
    return (
        isinstance(node.func, ast.Name)
        and node.func.id == "getattr"
        and any(isinstance(value, ast.Constant) and value.value == INVOKE for value in node.args)
    )


def _suppresses(expression: ast.expr) -> bool:
    function = expression.func if isinstance(expression, ast.Call) else None
    name = getattr(function, "attr", getattr(function, "id", ""))
    return name == "suppress"


def _own_nodes(definition: Definition) -> Iterator[ast.AST]:
    """Nodes of a function's body; of functions and classes defined in it only the definition itself."""
    waiting: list[ast.AST] = list(definition.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def _local_functions(source: FunctionSource) -> dict[str, FunctionSource]:
    return {
        node.name: FunctionSource(source.module, node)
        for node in _own_nodes(source.definition)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _parameter_names(definition: Definition) -> frozenset[str]:
    arguments = definition.args
    parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    extra = [parameter for parameter in (arguments.vararg, arguments.kwarg) if parameter is not None]
    return frozenset(parameter.arg for parameter in (*parameters, *extra))


def _stored_names(definition: Definition) -> frozenset[str]:
    """Names that a function's body assigns."""
    return frozenset(
        node.id for node in _own_nodes(definition) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
