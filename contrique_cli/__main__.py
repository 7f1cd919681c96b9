"""Run the command line: `contrique` and `python -m contrique_cli`."""

from contrique_cli.cli.app import main

if __name__ == "__main__":
    main()
