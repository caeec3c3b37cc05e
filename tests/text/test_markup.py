import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentflix.text.cleaning import plain_text
from latentflix.text.markup import html_to_text
from tests.support.scaling import growth

# Each may begin or end something.
SIGNS = [
    *(
        "<",
        ">",
        "</",
        "/>",
        "<!--",
        "--",
        "-->",
        "<!",
        "<?",
        "<![CDATA[",
        "]]>",
        "<a",
        "<a>",
        "</a>",
        "<a b=",
        "=",
        "'",
    ),
    *('"', "&", "&#", "&#x", ";", "&amp", "&amp;", "9", "f", " ", "\n", "<br", "<script>", "</script", "<style>", "x"),
]


@pytest.mark.parametrize(
    "text, plain",
    [
        ("<b>x</b>y<i>z</i>", "x y z"),
        ("x<p></p>y", "x y"),
        ("x<b> </b>y<b> \n </b>z", "x   y \n z"),
        ("I <3 it", "I <3 it"),
        ("a < b > c <> d", "a < b > c <> d"),
        ("x <y", "x <y"),
        ("I do </3 it> now", "I do   now"),
        ("<a title='a > b'>c</a>", "c"),
        ('<a title="a > b>c</a>', "b>c"),
        ("<grin, I don't> and I won't <b>", "and I won't"),
        ("<a b='>' c", "<a b='>' c"),
        ("<!-- a > <b> --> c", "c"),
        ("<!-- a", "<!-- a"),
        ("<!-- a > b", "b"),
        ("<!DOCTYPE html><?pi x?><![CDATA[x]]>y", "y"),
        ("<![if x", "<![if x"),
        ("<script>a<b</script>c<STYLE type='x'>d</Style >e", "c e"),
        ("<script>a</scripts>b</script>c", "c"),
        ("a<script>b", "a"),
        ("<script/>x", "x"),
        ("AT&T. Q&A; &foo; a&&b; &;", "AT&T. Q&A; &foo; a&&b; &;"),
        ("&eacute;&eacute &notit; &lt;b&gt; &amp;amp;", "éé &notit; <b> &amp;"),
        ("&#150;&#8217;&#x2019;&#xd800;&#99999999;", "–’’\ufffd\ufffd"),
        ("&#1;&#;&#x;&#" + "9" * 5000, "&#;&#x;\ufffd"),
        ("\u017f <\u017f> <\u212a>", "\u017f <\u017f> <\u212a>"),
    ],
)
def test_markup_is_removed_and_what_is_none_stays(text, plain):
    assert html_to_text(text).strip() == plain


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("end", ["", ">", '"', "'>", "-->"])
def test_malformed_markup_takes_linear_time(sign, end):
    assert growth(lambda n: plain_text("<a " + sign * n + end), 1000) < 25


def test_comments_and_quotes_that_do_not_end_take_linear_time():
    for sign in ("<!-- >", "<a ='>'", "<a =\">'", "<script></", '<a ="', "<b>x</c>"):
        assert growth(lambda n, sign=sign: plain_text(sign * n), 1000) < 25, sign


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(SIGNS) | st.text(max_size=3)).map("".join))
def test_any_text_can_be_read_and_grows_by_no_more_than_its_tags(text):
    plain = plain_text(text)
    assert "\x00" not in plain
    assert len(plain) <= 2 * len(text)
