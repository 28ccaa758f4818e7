"""Where the values of secrets come from, and how new ones are made."""
