"""Where the floors below meet: solving a deployed workflow, deciding when, and what it saved.

`workflows` (what is deployed), `signals` (which regions to collect), `solve` (one workflow, now), `check_solver` (which
workflows, when), `check_deployment` (migrate and clean up), `savings` (what it brought), `trigger` and `follow` (runs).
"""
