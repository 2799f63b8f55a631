"""The command line: `python -m experiments list | run NAME … | tables | keep NAME …`."""

import sys

if __name__ == "__main__":
    from experiments.lab.interrupts import end_at_once, end_silently

    end_at_once()  # while the command line is imported
    from experiments.lab.command import main

    code = main()
    end_silently()
    sys.exit(code)
