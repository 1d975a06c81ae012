"""What people are told of plans: tables for a terminal, and the page of a report."""
