"""What every experiment shares: declarations, data, training, runs, statistics, tables, figures."""
