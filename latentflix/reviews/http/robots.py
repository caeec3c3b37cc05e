"""What a host's robots.txt allows. Source: RFC 9309."""

import re
import time
from dataclasses import dataclass, field

import httpx
from protego import Protego

PRODUCT = "latentflix"
# RFC 9309, 2.5: at least 500 KiB are to be read.
MAX_BYTES = 2**20
# RFC 9309, 2.3.1.2: at least five redirections are to be followed.
MAX_REDIRECTS = 5
# RFC 9309, 2.4: seconds for which a file may be kept.
_KEPT = 24 * 3600

_AGENT = re.compile(r"\s*user[-\s]*agent\b\s*:?\s*([^\s/#]*)", re.IGNORECASE)
_ANY, _OTHER = "*", "other"


@dataclass(frozen=True)
class Robots:
    """Rules for our product token, or the reason why everything is forbidden. read_at: by the monotonic clock."""

    rules: Protego | None = None
    closed: str = ""
    read_at: float = field(default_factory=time.monotonic)

    def expired(self) -> bool:
        """Whether the file has to be read again."""
        return time.monotonic() - self.read_at > _KEPT

    def forbids(self, url: httpx.URL) -> str:
        """Why a page must not be fetched; empty if it may be."""
        if self.closed:
            return self.closed
        allowed = self.rules is None or self.rules.can_fetch(str(url), PRODUCT)
        return "" if allowed else "robots.txt forbids the page"

    @property
    def crawl_delay(self) -> float:
        """The shortest time between two requests that the host asks for, in seconds."""
        return (self.rules and self.rules.crawl_delay(PRODUCT)) or 0.0


def read_robots(body: bytes) -> Robots:
    """Read the first `MAX_BYTES` of a robots.txt.

    A file that is longer and has no group for us in this part forbids everything: what it says of us was not read.
    """
    part = body[:MAX_BYTES]
    is_cut = len(body) > MAX_BYTES
    if is_cut:
        # Half a line may allow more than the whole one.
        part = part[: max(part.rfind(b"\n"), part.rfind(b"\r")) + 1]
    lines = [_name_agent(line) for line in part.decode("utf-8-sig", "replace").splitlines()]
    if is_cut and not {_agent_line(_ANY), _agent_line(PRODUCT)} & set(lines):
        return Robots(closed=f"the first {MAX_BYTES:,} bytes of robots.txt have no rules for us")
    return Robots(Protego.parse("\n".join(lines)))


def _name_agent(line: str) -> str:
    """Give all other crawlers one name: the parser's time grows with the number of names times that of rules."""
    found = _AGENT.match(line)
    if found is None:
        return line
    name = found[1].lower()
    return _agent_line(name if name in (_ANY, PRODUCT) else _OTHER)


def _agent_line(name: str) -> str:
    return f"User-agent: {name}"
