import traceback

import pytest
from pydantic import SecretStr

from latentflix.errors import SettingsError
from latentflix.reviews.http.keys import key_for, read_key

KEY = "sk-0123456789"


@pytest.mark.parametrize(
    "secret, found",
    [
        (f"https://Api.example.org:443/v1 {KEY}\n", "https://api.example.org"),
        (f"http://127.0.0.1:8000/v1  {KEY}", "http://127.0.0.1:8000"),
        (f"http://[::1]:8000 {KEY}", "http://[::1]:8000"),
    ],
)
def test_a_secret_holds_an_address_and_the_key_for_it(secret, found):
    assert read_key(SecretStr(secret), "a secret") == (found, KEY)


@pytest.mark.parametrize(
    "secret", [KEY, "", f"http://example.org {KEY}", f"ftp://example.org {KEY}", f"https://[::1 {KEY}", f"//x {KEY}"]
)
def test_a_secret_without_an_address_that_encrypts_is_refused_unseen(secret):
    with pytest.raises(SettingsError, match="a secret is malformed; expected: an address that begins with") as failure:
        read_key(SecretStr(secret), "a secret")
    assert KEY not in "".join(traceback.format_exception(failure.value))


def test_a_key_is_for_its_own_address():
    secret = SecretStr(f"https://example.org/v1 {KEY}")
    found = key_for("https://example.org/other", secret, "a secret")
    assert found is not None
    assert found.get_secret_value() == KEY
    assert key_for("https://elsewhere.org", None, "a secret") is None
    for address in ("https://elsewhere.org", "http://example.org", "https://example.org:8443", "https://[::1"):
        with pytest.raises(SettingsError, match="a secret is for another address"):
            key_for(address, secret, "a secret")
