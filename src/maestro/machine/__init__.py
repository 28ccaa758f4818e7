"""Making a machine ready: the lab, Docker's daemon, keys. None of it travels to hosts."""
