"""Mami AI: chat over a chain of language models, and images that a worker changes."""

import os

VERSION = os.environ.get("VERSION", "dev")
