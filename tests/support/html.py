"""A page as a test reads it without a browser."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        # What stands in another cell or line is another word.
        if tag in ("td", "th", "dt", "dd", "br"):
            self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data

    def attributes(self, name: str) -> list[str | None]:
        """Every value of an attribute, in order."""
        return [attrs[name] for _, attrs in self.tags if name in attrs]


def text_of(html: str) -> str:
    """The text of a page, with one blank between words."""
    return " ".join(Page(html).text.split())
