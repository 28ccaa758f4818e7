"""What every test of Maestro shares."""

pytest_plugins = ["background", "traceability"]
