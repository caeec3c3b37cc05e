"""Keys that name the address they are for: the settings of a run choose an address, but not who gets a key."""

import httpx
from pydantic import SecretStr

from latentflix.errors import SettingsError
from latentflix.reviews.http.transports import origin

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def read_key(secret: SecretStr, what: str) -> tuple[str, str]:
    """Read a secret that holds an address, a blank, and the key for it.

    Args:
        secret: what a Prefect Secret block or a variable of the environment holds.
        what: what the secret is, for an error, which shows nothing of it.

    Returns:
        The origin of the address, and the key.

    Raises:
        SettingsError: there is no address, or it neither uses https nor is on this machine.
    """
    address, _, key = secret.get_secret_value().strip().partition(" ")
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        url = httpx.URL()
    if not url.host or url.scheme not in ("https", "http") or (url.scheme == "http" and url.host not in _LOOPBACK):
        raise SettingsError(
            f"{what} is malformed", expected="an address that begins with https://, a blank, and the key for it"
        )
    return origin(url), key.strip()


def key_for(address: str, secret: SecretStr | None, what: str) -> SecretStr | None:
    """Choose the key for an address: None without a secret.

    Raises:
        SettingsError: the secret is malformed, as in `read_key`, or for another origin.
    """
    if secret is None:
        return None
    allowed, key = read_key(secret, what)
    try:
        asked = origin(httpx.URL(address))
    except httpx.InvalidURL:
        asked = "no address"
    if asked != allowed:
        raise SettingsError(f"{what} is for another address", found=asked, expected="the address that it begins with")
    return SecretStr(key)
