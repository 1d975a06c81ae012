"""Collectors: they refresh what the outside world is like, region by region, and store it as signals.

`carbon`, `provider` and `performance` are the collectors, and each has a source protocol that a live feed can
implement; `store` keeps the signals and `collector` holds what they share.

Carbon intensities come from a file of the user's (`carbon_file`), a live source, the past that earlier collections
stored (`carbon_past`) and the embedded trace (`embedded_carbon`); `carbon_signal` makes the signal of a region out of
these and `forecast` continues them.

Round trips and speeds come from this installation's own runs (`measured_round_trips`, `relative_speed`; `medians` is
the arithmetic of both), a service (`cloudping`), the embedded measurements and the distance. Whatever speaks HTTP does
so by `http`, the one client.

Prices and names of regions come from the cloud's price list and directory over the embedded data (`price_merge`,
`provider_regions`).
"""
