"""Maestro: planned, verified and reversible deploys of Compose stacks."""
