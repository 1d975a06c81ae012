"""From source to running functions: analyse, package, plan actions, apply them, sweep; migrate and remove.

`analysis` reads the project's source, `packaging` builds what is uploaded, `desired` says which resources a
workflow needs, `actions` compares them with what is recorded, `executor` applies the difference, and
`deploy`, `migrate` and `remove` are the operations made of these. `scaffold` makes a new project.
"""
