"""Statistics, tables, answers, figures and the report."""
