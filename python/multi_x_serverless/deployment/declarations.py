"""The workflow object and the decorated functions of a project's `app.py`, read from the syntax tree."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from multi_x_serverless.deployment.source import Definition, FunctionSource, Module, dotted_parts
from multi_x_serverless.errors import InvalidConfigurationError, InvalidWorkflowError
from multi_x_serverless.model.config import FunctionDeclaration, check_name, check_version
from multi_x_serverless.model.settings import Setting, read_literal, suggestion

WORKFLOW_CLASS = "MultiXServerlessWorkflow"
DECORATOR = "serverless_function"
DELIVERIES = ("at_least_once", "exactly_once")

_WORKFLOW_ARGUMENTS = ("name", "version", "delivery")
_DECORATOR_ARGUMENTS = ("name", "entry_point", "regions_and_providers", "environment_variables", "delivery")


@dataclass(frozen=True)
class WorkflowObject:
    """The workflow object of a module: ``variable = MultiXServerlessWorkflow(name=..., version=..., delivery=...)``."""

    variable: str
    name: str
    version: str
    delivery: str
    line: int


@dataclass(frozen=True)
class Declarations:
    """What a module declares.

    Attributes:
        functions: In the order of the source.
        sources: Declared function by the definition it decorates.
    """

    workflow: WorkflowObject
    functions: tuple[FunctionDeclaration, ...]
    sources: dict[FunctionSource, FunctionDeclaration]

    @property
    def entry(self) -> FunctionDeclaration:
        """The function that starts a run."""
        return next(function for function in self.functions if function.entry_point)


def read_declarations(module: Module) -> Declarations:
    """The workflow object and all functions decorated with it.

    Raises:
        InvalidWorkflowError: None or several of what must be there once; arguments that are no literals.
    """
    try:
        return _read(module)
    except InvalidWorkflowError:
        raise
    except InvalidConfigurationError as error:
        # A setting that is refused says so in words of its own; in the source it makes the workflow unusable.
        message = str(error).removeprefix(f"{error.file}:{error.line}: ")
        raise InvalidWorkflowError(message, file=error.file, line=error.line) from None


def _read(module: Module) -> Declarations:
    workflow = _workflow_object(module)
    sources: dict[FunctionSource, FunctionDeclaration] = {}
    decorators: set[int] = set()
    for definition in _definitions_in_order(module):
        for decorator in definition.decorator_list:
            call = decorator.func if isinstance(decorator, ast.Call) else decorator
            if not isinstance(call, ast.Attribute) or call.attr != DECORATOR:
                continue
            decorators.add(id(call))
            source = module.functions[definition.name]
            if source in sources or source.definition is not definition:
                raise _error(module, definition, f"the Python function '{definition.name}' is decorated twice.")
            sources[source] = _declaration(module, definition, decorator, workflow)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr == DECORATOR and id(node) not in decorators:
            raise _error(module, node, f"'{DECORATOR}' must decorate a function at the top level of {module.file}.")
    declarations = Declarations(workflow, tuple(sources.values()), sources)
    _check_names_and_entry(module, declarations)
    return declarations


def _definitions_in_order(module: Module) -> list[Definition]:
    # Not from `module.functions`: of two definitions with one name only the last is there.
    return [node for node in module.tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _workflow_object(module: Module) -> WorkflowObject:
    found: list[WorkflowObject] = []
    for statement in module.tree.body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            continue
        value = statement.value
        if not isinstance(value, ast.Call) or not _is_workflow_class(module, value.func):
            continue
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if len(targets) != 1 or not isinstance(targets[0], ast.Name):
            raise _error(module, statement, "assign the workflow to one plain name, like 'workflow = ...'.")
        arguments = _arguments(module, value, _WORKFLOW_ARGUMENTS, WORKFLOW_CLASS)
        name = _required_text(module, value, arguments, "name")
        version = _required_text(module, value, arguments, "version")
        wrong = check_name(name.text())
        if wrong is not None:
            raise name.error(f"'{name.value}' {wrong}.")
        wrong = check_version(version.text())
        if wrong is not None:
            raise version.error(f"'{version.value}' {wrong}.")
        delivery = _delivery(arguments.get("delivery"))
        found.append(WorkflowObject(targets[0].id, name.text(), version.text(), delivery, statement.lineno))
    if not found:
        raise InvalidWorkflowError(
            f'makes no workflow: write \'workflow = {WORKFLOW_CLASS}(name="...", version="...")\' at the top '
            f"level, with 'from multi_x_serverless import {WORKFLOW_CLASS}'.",
            file=module.file,
        )
    if len(found) > 1:
        raise InvalidWorkflowError(
            f"makes a second workflow; the first is on line {found[0].line}, and a project holds one.",
            file=module.file,
            line=found[1].line,
        )
    return found[0]


def _is_workflow_class(module: Module, expression: ast.expr) -> bool:
    parts = dotted_parts(expression)
    if parts is None or parts[0] not in module.imports:
        return False
    dotted = (*module.imports[parts[0]].split("."), *parts[1:])
    return dotted[0] == "multi_x_serverless" and dotted[-1] == WORKFLOW_CLASS


def _declaration(
    module: Module, definition: Definition, decorator: ast.expr, workflow: WorkflowObject
) -> FunctionDeclaration:
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    receiver = function.value if isinstance(function, ast.Attribute) else function
    if not isinstance(receiver, ast.Name) or receiver.id != workflow.variable:
        raise _error(module, decorator, f"the decorator must be '@{workflow.variable}.{DECORATOR}(...)'.")
    if not isinstance(decorator, ast.Call):
        raise _error(module, decorator, f"call the decorator: '@{workflow.variable}.{DECORATOR}(name=...)'.")
    if isinstance(definition, ast.AsyncFunctionDef):
        raise _error(module, definition, f"'{definition.name}' is 'async'; a serverless function is a plain 'def'.")
    if is_generator(definition):
        raise _error(
            module,
            definition,
            f"'{definition.name}' yields; a serverless function returns its result at once.",
        )
    _check_parameters(module, definition)
    arguments = _arguments(module, decorator, _DECORATOR_ARGUMENTS, DECORATOR)
    name = _unless_null(arguments.get("name")) or Setting(definition.name, module.file, definition.lineno, "name")
    wrong = check_name(name.text())
    if wrong is not None:
        raise name.error(f"'{name.value}' {wrong}.")
    return FunctionDeclaration(
        name=name.text(),
        attribute=definition.name,
        entry_point=_boolean(arguments.get("entry_point")),
        delivery=_delivery(arguments.get("delivery"), workflow.delivery),
        file=module.file,
        line=definition.lineno,
        regions_and_providers=_unless_null(arguments.get("regions_and_providers")),
        environment_variables=_unless_null(arguments.get("environment_variables")),
    )


def _arguments(module: Module, call: ast.Call, names: tuple[str, ...], what: str) -> dict[str, Setting]:
    if len(call.args) > len(names):
        raise _error(module, call, f"'{what}' takes at most {len(names)} arguments.")
    given: list[tuple[str, ast.expr]] = list(zip(names, call.args, strict=False))
    for keyword in call.keywords:
        if keyword.arg is None:
            raise _error(module, call, f"'**' in '{what}' cannot be read; write the arguments one by one.")
        if keyword.arg not in names:
            raise _error(
                module,
                keyword.value,
                f"'{what}' has no argument '{keyword.arg}'{suggestion(keyword.arg, names)}; it has {', '.join(names)}.",
            )
        given.append((keyword.arg, keyword.value))
    return {name: read_literal(value, module.file, name) for name, value in given}


def _check_parameters(module: Module, definition: Definition) -> None:
    arguments = definition.args
    required = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    required += sum(default is None for default in arguments.kw_defaults)
    if required > 1:
        raise _error(
            module,
            definition,
            f"'{definition.name}' needs {required} arguments, but a serverless function is given one, the "
            "payload; pass several values as a dict.",
        )


def _required_text(module: Module, call: ast.Call, arguments: dict[str, Setting], name: str) -> Setting:
    setting = arguments.get(name)
    if setting is None:
        raise _error(module, call, f"the argument '{name}' is missing.")
    setting.text()
    return setting


def _boolean(setting: Setting | None) -> bool:
    if setting is None:
        return False
    if not isinstance(setting.value, bool):
        raise setting.error(f"is {setting.shown()}, expected True or False.")
    return setting.value


def _delivery(setting: Setting | None, default: str = DELIVERIES[0]) -> str:
    if setting is None or setting.is_null:
        return default
    return setting.one_of(DELIVERIES)


def _unless_null(setting: Setting | None) -> Setting | None:
    return None if setting is None or setting.is_null else setting


def is_generator(definition: Definition) -> bool:
    """Whether calling a function runs nothing yet, because its body yields."""
    waiting: list[ast.AST] = list(definition.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))
    return False


def _check_names_and_entry(module: Module, declarations: Declarations) -> None:
    functions = declarations.functions
    first_line: dict[str, int] = {}
    for function in functions:
        if function.name in first_line:
            raise InvalidWorkflowError(
                f"a second function is named '{function.name}'; the first is on line {first_line[function.name]}.",
                file=module.file,
                line=function.line,
            )
        first_line[function.name] = function.line
    entries = [function for function in functions if function.entry_point]
    variable = declarations.workflow.variable
    if not functions:
        raise InvalidWorkflowError(
            f"has no serverless function; decorate one with '@{variable}.{DECORATOR}(name=..., entry_point=True)'.",
            file=module.file,
        )
    if not entries:
        raise InvalidWorkflowError(
            "has no entry: give the function that starts a run 'entry_point=True' in its decorator.",
            file=module.file,
        )
    if len(entries) > 1:
        raise InvalidWorkflowError(
            f"'{entries[1].name}' is a second entry beside '{entries[0].name}'; a workflow has exactly one.",
            file=module.file,
            line=entries[1].line,
        )


def _error(module: Module, node: ast.stmt | ast.expr, message: str) -> InvalidWorkflowError:
    return InvalidWorkflowError(message, file=module.file, line=node.lineno)
