"""Collectors: they refresh what the outside world is like, region by region, and store it as signals.

`carbon` and `performance` read the embedded data; each has a source protocol that a live feed can implement. `provider`
asks the cloud's price list and directory of regions over the embedded data (`price_merge`, `provider_regions`). `store`
keeps the signals, `collector` holds what they share, `forecast` continues intensities.
"""
