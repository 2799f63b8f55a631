"""Statistics, tables, verdicts, figures and the report."""
