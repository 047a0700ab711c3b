"""`python -m jphtr` is `jphtr`."""

from jphtr.cli import main

if __name__ == "__main__":
    main(prog_name="jphtr")
