import flows  # isort: skip  # its settings of the environment come before torch and Prefect are imported

from collections.abc import Iterator

import pytest
from prefect.testing.utilities import prefect_test_harness

assert flows


@pytest.fixture(scope="session")
def prefect() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield
