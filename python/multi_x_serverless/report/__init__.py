"""What people are told of plans.

`explain` answers for a workflow, `placements` for a problem document alone. `savings_tables` words what was saved, for
the terminal and for `page`, which shows what `gather` reads.
"""
