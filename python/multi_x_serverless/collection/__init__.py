"""Collectors: they refresh what the outside world is like, region by region, and store it as signals.

`carbon`, `provider` and `performance` read the embedded data; each has a source protocol that a live feed can
implement. `measured_round_trips` and `relative_speed` learn of regions from this installation's own runs, `medians` is
the arithmetic of both. `store` keeps the signals, `collector` holds what they share, `forecast` continues intensities.
"""
