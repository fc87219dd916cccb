"""`python -m augfn`: the console script `augfn`."""

from augfn.app.cli import main

if __name__ == "__main__":
    main()
