"""`python -m diptych`: the same as `diptych`."""

from diptych.cli import main

if __name__ == "__main__":
    main(prog_name="diptych")
