"""What people are told of plans.

`explain` answers for a workflow, `placements` for a problem document alone. `savings_tables` words what was saved, for
the terminal and for `page`, the report as one page of HTML. Words and tables are in `wording` and `tables`.
"""
