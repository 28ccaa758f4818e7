"""The commands `maestro-redact` and `maestro-secrets`."""
