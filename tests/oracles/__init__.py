"""Independent judges of the engine: a checker, a brute force, and a source of random problems."""
