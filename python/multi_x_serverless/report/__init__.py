"""What people are told of plans: `explain` answers for a workflow, `placements` for a problem document alone."""
