"""An experiment's table: rows, statistics and comparisons, from records to CSV files."""
