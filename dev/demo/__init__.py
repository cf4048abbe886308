"""The parts of the demo: what it starts, runs, shows and stops."""
