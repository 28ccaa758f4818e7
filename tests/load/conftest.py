"""The load tests run on the lab of the end-to-end tests."""

from e2e.conftest import demo  # noqa: F401 -- a fixture
