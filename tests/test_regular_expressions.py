"""No regular expression of the library takes the square of a text's length, whatever a stranger writes."""

import inspect
import pkgutil
import re
from importlib import import_module

import pytest

import latentflix
from tests.support.scaling import growth

# What may begin, go on or end something in any of them.
UNITS = [
    *(
        " ",
        "\n",
        "\t",
        "\r",
        " \n",
        "a",
        "A",
        "I",
        "1",
        "a ",
        "A ",
        "1 ",
        ".",
        ". ",
        ",",
        ", ",
        ":",
        ": ",
        "-",
        " - ",
        "=",
    ),
    *(
        "'",
        '"',
        "*",
        "+",
        "_",
        "/",
        "<",
        ">",
        "<br",
        "<br ",
        "<br>",
        "<br> ",
        "<a ",
        "<think>",
        "</",
        "&",
        "&#",
        "&a",
        "(",
    ),
    *(
        "(V)",
        "(a)",
        "(1995)",
        "((a)",
        "{",
        "{}",
        "::",
        "1::1::",
        "\n1::1::",
        " part ",
        " ii",
        "tt1",
        "src=",
        'src="',
        "\0",
    ),
    *("\ud800", "a.k.a. ", ", the", "1995", "a'", "a-", "train/pos/", '="', '",', " 19"),
]
ENDS = ["", "x", "\n", ">", '"']
METHODS = ("search", "match", "fullmatch", "findall", "finditer", "split", "sub")


def expressions():
    """Every compiled pattern of a module, with the methods that the module calls."""
    for info in pkgutil.walk_packages(latentflix.__path__, "latentflix."):
        module = import_module(info.name)
        for name, pattern in vars(module).items():
            if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
                used = set(re.findall(rf"\b{name}\.({'|'.join(METHODS)})\b", inspect.getsource(module)))
                for method in sorted(used):
                    yield pytest.param(pattern, method, id=f"{info.name}.{name}.{method}")


def apply(pattern, method, text):
    if method == "sub":
        pattern.sub("", text)
    elif method == "finditer":
        list(pattern.finditer(text))
    else:
        getattr(pattern, method)(text)


@pytest.mark.parametrize("pattern, method", expressions())
def test_time_grows_with_the_length_of_the_text(pattern, method):
    for unit in UNITS:
        for end in ENDS:
            for start in ("", "x", "== "):

                def run(n, start=start, unit=unit, end=end):
                    apply(pattern, method, start + unit * n + end)

                assert growth(run, 200, least=3e-3) < 25, (start, unit, end)
