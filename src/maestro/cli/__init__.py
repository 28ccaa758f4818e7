"""The commands `maestro` and its subcommands."""
