"""The engine's counter-based random numbers, rebuilt from `docs/problem-document.md`."""

from __future__ import annotations

MASK = (1 << 64) - 1
GOLDEN_GAMMA = 0x9E3779B97F4A7C15

RUN, DURATION, LATENCY, CALL = 0, 1, 2, 3

FIRST_PLANNING_SCENARIO = 0
FIRST_VALIDATION_SCENARIO = 1 << 32


def _mix(state: int) -> int:
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


def bits(seed: int, stream: int, scenario: int, element: int) -> int:
    """64 random bits."""
    state = 0
    for part in (seed, stream, scenario, element):
        state = _mix((state + GOLDEN_GAMMA * ((part + 1) & MASK)) & MASK)
    return state


def uniform(seed: int, stream: int, scenario: int, element: int) -> float:
    """A number in [0, 1)."""
    return (bits(seed, stream, scenario, element) >> 11) / 2**53


def key(name: str) -> int:
    """FNV-1a of a name."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value
