"""Typed documents that pass between the parts: frozen dataclasses that validate, read and write themselves.

`config` (what the developer asked for), `graph` (what the source says), `plan` (where each node runs), `run`
(what a run did), `workflow` (what is deployed), `signals` (what the outside world is like), `tables` (where all of it
is kept). Every stored document carries its schema's name and version; readers refuse newer ones.
"""
