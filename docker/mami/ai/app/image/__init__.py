"""Image jobs: their records, their queue, and the worker."""
