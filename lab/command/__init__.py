"""The command line: reads the arguments, plans the runs, starts them, and prints their progress."""
