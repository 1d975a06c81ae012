"""Independent judges of the engine: a checker, three solvers on its numbers, and a source of random problems."""
