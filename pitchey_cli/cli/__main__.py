"""`python -m pitchey_cli.cli` is `pitchey`."""

from pitchey_cli.cli.main import main

main()
