"""The fault tests run on the lab and the stack of the end-to-end tests."""

from e2e.conftest import counter  # noqa: F401 -- a fixture
