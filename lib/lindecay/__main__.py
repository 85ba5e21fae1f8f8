"""`python -m lindecay`: the same as `lindecay`."""

from lindecay.cli import main

if __name__ == "__main__":
    main()
