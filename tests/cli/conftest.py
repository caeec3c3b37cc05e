import pytest

from latentflix.artifacts import Store
from tests.support.factories.run import write_run


@pytest.fixture(scope="package")
def artifacts(tmp_path_factory):
    """The option that names a folder with one run in it."""
    folder = tmp_path_factory.mktemp("artifacts")
    write_run(Store(folder))
    return ("--artifacts-dir", folder)
