"""Which edge a call is: found by where it stands.

The manifest knows each edge by the chain of source lines that leads to its `invoke_serverless_function`; the stack of
a running call shows the same chain. Frames that belong to no step (decorators, `map`, library code) are passed over,
but the innermost frame must be the call itself.
"""

from __future__ import annotations

import os
from types import CodeType, FrameType

from multi_x_serverless.sdk.errors import CallSiteError
from multi_x_serverless.sdk.manifest import CallStep, Manifest


class CallSites:
    """Edges by call site for one package.

    Args:
        manifest: The workflow's manifest.
        root: Root of the package, to which the manifest's files are relative.
        boundary: Code that calls the developer's function; frames outside of it are not looked at.
    """

    def __init__(self, manifest: Manifest, root: str, boundary: CodeType) -> None:
        self._manifest = manifest
        self._root = os.path.realpath(root)
        self._boundary = boundary
        self._relative_names: dict[str, str | None] = {}

    def locate(self, frame: FrameType | None, node: int, function: str) -> int:
        """The edge of `node` that the call in `frame` is.

        Args:
            frame: Frame of the code that calls `invoke_serverless_function`.
            node: The node that runs.
            function: The function that is called.

        Raises:
            CallSiteError: No edge of the node is there, or more than one fits.
        """
        steps = self._steps(frame)
        fitting = [
            edge for edge in self._manifest.outgoing[node] if _leads_along(self._manifest.edges[edge].site, steps)
        ]
        longest = max((len(self._manifest.edges[edge].site) for edge in fitting), default=0)
        edges = [
            edge
            for edge in fitting
            if len(self._manifest.edges[edge].site) == longest
            and self._manifest.nodes[self._manifest.edges[edge].target].function == function
        ]
        if len(edges) == 1:
            return edges[0]
        raise self._not_found(steps, node, function, fitting)

    def _steps(self, frame: FrameType | None) -> list[tuple[str | None, int]]:
        """File (`None` outside the package) and line per frame, innermost first."""
        steps = []
        while frame is not None and frame.f_code is not self._boundary:
            steps.append((self._relative(frame.f_code.co_filename), frame.f_lineno))
            frame = frame.f_back
        return steps

    def _relative(self, file: str) -> str | None:
        if file not in self._relative_names:
            path = os.path.realpath(file)
            inside = path.startswith(self._root + os.sep)
            self._relative_names[file] = path[len(self._root) + 1 :].replace(os.sep, "/") if inside else None
        return self._relative_names[file]

    def _not_found(
        self, steps: list[tuple[str | None, int]], node: int, function: str, fitting: list[int]
    ) -> CallSiteError:
        file, line = steps[0] if steps else (None, 0)
        name = self._manifest.nodes[node].name
        targets = sorted({self._manifest.nodes[self._manifest.edges[edge].target].function for edge in fitting})
        if targets and function not in targets:
            problem = f"the analysis found a call of {', '.join(targets)} there"
        elif targets:
            problem = "more than one call stands there; put each on lines of its own"
        else:
            problem = "the analysis of the source found no call there"
        return CallSiteError(
            f"node '{name}' calls '{function}' at {file or 'a place outside the package'}:{line}, but {problem}; "
            "deploy again if the source changed, and call invoke_serverless_function by its own name, in plain "
            "sight, in the function itself or in a helper of the project",
            file=file or "",
            line=line,
        )


def _leads_along(site: tuple[CallStep, ...], steps: list[tuple[str | None, int]]) -> bool:
    """Whether the stack (innermost first) shows every step of a site (outermost first), ending in the call itself."""
    if not site or not steps or not _is_at(site[-1], steps[0]):
        return False
    missing = len(site) - 1
    for step in steps[1:]:
        if missing and _is_at(site[missing - 1], step):
            missing -= 1
    return missing == 0


def _is_at(step: CallStep, place: tuple[str | None, int]) -> bool:
    file, line = place
    return file == step.file and step.line <= line <= step.end_line
