"""Programs of Debian's that tests need beside Python's packages."""

import os
from typing import NoReturn

import pytest


def missing(program: str, package: str) -> NoReturn:
    """Skip the test because a program is missing; fail in CI, which installs it."""
    reason = f"no {program} is installed; what to do: apt-get install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
