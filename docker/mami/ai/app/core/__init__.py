"""What every part needs: logs, database, Redis, metrics."""
