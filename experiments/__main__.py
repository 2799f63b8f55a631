"""The command line: `python -m experiments list | run NAME … | tables | keep NAME …`."""

import sys

if __name__ == "__main__":
    from experiments.lab.command import main

    sys.exit(main())
