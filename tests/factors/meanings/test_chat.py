import logging

import pytest
from pydantic import SecretStr

from latentflix.factors.meanings.chat import Chat
from tests.support.fake_llm import KEY, chat_body, fake_llm

NONSENSE = "the answer is not of the form that an OpenAI-compatible server gives"


def ask(llm, timeout=5.0, key=KEY, times=1):
    chat = Chat(llm.address, "a-model", timeout, SecretStr(key) if key else None)
    return [chat.ask("What is it?") for _ in range(times)][-1]


def test_a_question_is_sent_as_servers_of_this_kind_take_it():
    with fake_llm(answer=lambda prompt: f"answer to: {prompt}") as llm:
        answer = ask(llm)
        assert (answer.text, answer.note) == ("answer to: What is it?", "")
        assert answer.seconds >= 0
        ((path, headers, body),) = llm.requests
        assert path == "/v1/chat/completions"
        assert headers["authorization"] == f"Bearer {KEY}"
        assert body == {"model": "a-model", "messages": [{"role": "user", "content": "What is it?"}]}
        ask(llm, key=None)
        assert "authorization" not in llm.requests[1][1]


@pytest.mark.parametrize(
    ("behaviour", "note"),
    [
        ({"status": 500}, "the server answered with status 500"),
        ({"status": 429}, "the server answered with status 429"),
        ({"status": 404}, "the server answered with status 404"),
        ({"status": 401}, "the server refused the key or has none (status 401)"),
        ({"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}, "the server redirects to another address"),
        ({"body": b"not JSON"}, NONSENSE),
        ({"body": b""}, NONSENSE),
        ({"body": b"[]"}, NONSENSE),
        ({"body": b'{"choices": []}'}, NONSENSE),
        ({"body": b'{"choices": [{"message": {"content": "\\ud800 cut"}}]}'}, NONSENSE),
        ({"body": b"\xff\xfe\x00"}, NONSENSE),
        ({"body": chat_body(None)}, NONSENSE),
        ({"body": chat_body(["a"])}, NONSENSE),
        ({"body": chat_body("x" * 300_000)}, "the answer is too long"),
        ({"body": b"junk", "headers": {"Content-Encoding": "gzip"}}, "the server cannot be reached or broke off"),
        ({"body": b"short", "headers": {"Content-Length": "100"}}, "the server cannot be reached or broke off"),
    ],
)
def test_what_a_server_does_wrong_is_noted(behaviour, note, caplog):
    with fake_llm(**behaviour) as llm, caplog.at_level(logging.DEBUG):
        answer = ask(llm)
    assert answer.text == ""
    assert answer.note.startswith(note)
    assert KEY not in caplog.text
    assert f"the language model gave no phrase; {note}" in caplog.text


@pytest.mark.parametrize("behaviour", [{"silent": True}, {"drip": 0.05}], ids=["silent", "slow"])
def test_an_answer_that_takes_too_long_is_not_waited_for(behaviour):
    with fake_llm(**behaviour) as llm:
        answer = ask(llm, timeout=0.4)
    assert answer.note == "no complete answer within 0.4 seconds; raise --llm.timeout"
    assert answer.seconds < 3


def test_a_server_that_is_not_there_is_noted():
    with fake_llm() as llm:
        pass
    assert ask(llm).note.startswith("the server cannot be reached or broke off: ConnectError: ")
    for address in ("http://127.0.0.1:99999/v1", "http://[::1/v1", "http://a..b/", "http://xn--\u2603.invalid"):
        answer = Chat(address, "a-model", 1.0).ask("x")
        assert answer.note.startswith("the server cannot be reached or broke off"), address


def test_a_server_that_fails_three_times_in_a_row_is_not_asked_again():
    with fake_llm(status=500) as llm:
        assert ask(llm, times=5).note == "not asked: the server failed 3 times in a row"
        assert len(llm.requests) == 3
    with fake_llm(body=b"nonsense") as llm:
        ask(llm, times=5)
        assert len(llm.requests) == 5


def test_the_key_is_left_out_of_an_answer_that_repeats_it(caplog):
    with fake_llm(echo=True) as llm, caplog.at_level(logging.DEBUG):
        assert ask(llm).text == "Bearer (the key)"
    assert KEY not in caplog.text


@pytest.mark.parametrize("key", ["a\nb: c", "schlüssel", "\x00"])
def test_a_key_that_no_header_can_carry_is_not_sent(key, caplog):
    with fake_llm() as llm, caplog.at_level(logging.DEBUG):
        answer = ask(llm, key=key)
        assert llm.requests == []
    assert answer.note == "the key has characters that no request can carry; check it"
    assert key not in caplog.text
