"""What a host gets: the release's own Compose file, written and read again."""
