"""The proxy of `deployments/`, as a real nginx runs it."""

import base64
import re
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tasks import genres, report, sentiment
from tests.support.nginx import nginx
from tests.support.prefect_server import ROOT, free_port

KEY = "0f" * 10
PASSWORD = "only for this test"  # noqa: S105
# As `openssl passwd -6` prints it.
READERS = (
    "reader:$6$latentflix$qqUAYKxFWIqR.NrJ8A8NznUK0/eCNMmYfyWqSG1CU2kmiohi0N9qNbOEgM5uta4bN.AozT9HD2XYI4gEW/I1s1\n"
)
# Files in a folder of artifacts: those that may be read, and those that may not, with the reason.
SERVED = (
    f"/report/{KEY}/index.html",
    f"/report/{KEY}/stability.png",
    f"/report/{KEY}/items/12.png",
    f"/analysis_page/{KEY}/map.html",
    f"/genre_page/{KEY}/index.html",
    f"/sentiment_page/{KEY}/index.html",
)
REFUSED = {
    f"/report/{KEY}/manifest.json": "says what the page was made of",
    f"/report/{KEY}/table.parquet": "no page and no picture",
    f"/report/.{KEY}-abc/index.html": "not complete",
    f"/report/{KEY}/.checkpoints/index.html": "hidden",
    f"/reviews/{KEY}/reviews.parquet": "whole reviews",
    f"/reviews/{KEY}/index.html": "not a stage that writes pages",
    f"/ratings/{KEY}/ratings.parquet": "other people's ratings",
    f"/report/{KEY}/linked.html": "a link to whole reviews",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The host and the port where the pages of a folder of artifacts are served."""
    artifacts = tmp_path_factory.mktemp("artifacts")
    for path in (*SERVED, *REFUSED):
        file = artifacts / path.removeprefix("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"the content of {path}")
    link = artifacts / "report" / KEY / "linked.html"
    link.unlink()
    link.symlink_to(artifacts / "reviews" / KEY / "index.html")
    with nginx(tmp_path_factory.mktemp("nginx"), f"127.0.0.1:{free_port()}", artifacts, READERS) as proxy:
        yield proxy.pages.removeprefix("http://")


def ask(address: str, path: str, method: str = "GET", password: str | None = PASSWORD) -> tuple[int, str]:
    """Send a path as it is, dots and all; return the status and the body of the answer."""
    connection = HTTPConnection(address, timeout=10)
    user = base64.b64encode(f"reader:{password}".encode()).decode()
    connection.request(method, path, headers={"Authorization": f"Basic {user}"} if password else {})
    answer = connection.getresponse()
    try:
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("path", SERVED)
def test_pages_and_their_pictures_are_served(address: str, path: str) -> None:
    assert ask(address, path) == (HTTPStatus.OK, f"the content of {path}")


@pytest.mark.parametrize("path", REFUSED)
def test_nothing_else_in_the_folder_of_artifacts_is_served(address: str, path: str) -> None:
    status, body = ask(address, path)
    assert status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
    assert "the content of" not in body


@pytest.mark.parametrize("folder", ["/", "/report", "/report/", f"/report/{KEY}/", f"/report/{KEY}/items/"])
def test_no_folder_is_listed(address: str, folder: str) -> None:
    assert ask(address, folder)[0] == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("dots", ["..", "%2e%2e", "..%2f..", ".%2e/."])
def test_no_path_leads_out_of_a_report(address: str, dots: str) -> None:
    for rest in (f"reviews/{KEY}/reviews.parquet", f"../reviews/{KEY}/index.html"):
        status, body = ask(address, f"/report/{KEY}/{dots}/{rest}")
        assert status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)
        assert "the content of" not in body


@pytest.mark.parametrize("password", [None, "guessed"])
def test_nobody_reads_a_page_without_the_password(address: str, password: str | None) -> None:
    assert ask(address, SERVED[0], password=password)[0] == HTTPStatus.UNAUTHORIZED


def test_pages_can_only_be_read(address: str) -> None:
    assert {ask(address, SERVED[0], method)[0] for method in ("POST", "PUT", "DELETE")} == {HTTPStatus.FORBIDDEN}


def test_the_stages_whose_pages_are_served_are_those_that_write_pages() -> None:
    written = (report.write_report, report.write_analysis_page, genres.write_page, sentiment.write_page)
    (served,) = re.findall(r"\^/\(([\w|]+)\)/", (ROOT / "deployments" / "nginx.conf").read_text())
    assert set(served.split("|")) == {stage.name for stage in written}


def test_a_client_is_told_to_ask_again_while_the_server_is_away(tmp_path: Path) -> None:
    with nginx(tmp_path, f"127.0.0.1:{free_port()}", tmp_path, readers="") as proxy:
        status, _ = ask(proxy.prefect.removeprefix("http://"), "/api/health")
    assert status == HTTPStatus.BAD_GATEWAY
