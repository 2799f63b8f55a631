"""The command line: `python -m experiments --help` lists its commands."""

import sys

if __name__ == "__main__":
    from lab.command.interrupts import end_at_once, end_silently

    end_at_once()  # while the command line is imported
    from lab.command.main import main

    code = main()
    end_silently()
    sys.exit(code)
