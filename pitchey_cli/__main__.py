"""`python -m pitchey_cli`: the same as `pitchey`."""

from pitchey_cli.cli.main import main

if __name__ == "__main__":
    main()
