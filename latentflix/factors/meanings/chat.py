"""Asks a language model on any server of the OpenAI kind. What it answers is untrusted text, and may be anything.

Source: https://platform.openai.com/docs/api-reference/chat
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from pydantic import BaseModel, Field, SecretStr, ValidationError

from latentflix.text.cleaning import replace_surrogates

logger = logging.getLogger(__name__)

KEY_VARIABLE = "LATENTFLIX_LLM_KEY"
# Bytes; what is asked for is a line or two.
_LONGEST_ANSWER = 200_000
_REDACTED = "(the key)"
# Of the kinds of failure that another question would meet with too.
_FAILURES_IN_A_ROW = 3


class _Message(BaseModel):
    content: str


class _Choice(BaseModel):
    message: _Message


class _Body(BaseModel):
    choices: Sequence[_Choice] = Field(min_length=1)


@dataclass(frozen=True)
class Answer:
    """What the model wrote; note: why there is nothing, else empty. seconds: how long it took."""

    text: str = ""
    note: str = ""
    seconds: float = 0.0


class Chat:
    """Asks one question after another, and no more when the server has failed several times in a row.

    The key goes into the header of requests and nowhere else: wherever an answer repeats it, it is left out.
    """

    def __init__(self, address: str, model: str, timeout: float, key: SecretStr | None = None) -> None:
        self.url = f"{address.rstrip('/')}/chat/completions"
        self.model = model
        self.timeout = timeout
        self._key = key.get_secret_value().strip() if key else ""
        self._failures = 0

    def ask(self, prompt: str) -> Answer:
        """Ask a question. Never raises: what goes wrong is noted."""
        if not (self._key.isascii() and self._key.isprintable()):
            return Answer(note="the key has characters that no request can carry; check it")
        if self._failures >= _FAILURES_IN_A_ROW:
            return Answer(note=f"not asked: the server failed {self._failures} times in a row")
        started = time.monotonic()
        try:
            answer = self._read(self._post(prompt, started))
            self._failures = 0
        except _Refused as refused:
            self._failures += 1
            answer = Answer(note=str(refused))
        if answer.note:
            logger.warning("the language model gave no phrase; %s", self._clean(answer.note))
        return Answer(self._clean(answer.text), self._clean(answer.note), round(time.monotonic() - started, 3))

    def _post(self, prompt: str, started: float) -> bytes:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        question = {"model": self.model, "messages": [{"role": "user", "content": prompt}]}
        slow = f"no complete answer within {self.timeout:g} seconds; raise --llm.timeout"
        body = b""
        try:
            with (
                httpx.Client(timeout=self.timeout, follow_redirects=False) as client,
                client.stream("POST", self.url, json=question, headers=headers) as response,
            ):
                if response.is_redirect:
                    raise _Refused("the server redirects to another address; name that with --llm.address")
                if response.status_code in (401, 403):
                    raise _Refused(f"the server refused the key or has none (status {response.status_code})")
                if not response.is_success:
                    raise _Refused(f"the server answered with status {response.status_code}")
                for part in response.iter_bytes():
                    body += part
                    if time.monotonic() - started > self.timeout:
                        raise _Refused(slow)
                    if len(body) > _LONGEST_ANSWER:
                        raise _Refused("the answer is too long")
        except httpx.TimeoutException as error:
            raise _Refused(slow) from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
            raise _Refused(f"the server cannot be reached or broke off: {type(error).__name__}: {error}") from error
        return body

    @staticmethod
    def _read(body: bytes) -> Answer:
        try:
            return Answer(_Body.model_validate_json(body).choices[0].message.content)
        except ValidationError:
            return Answer(note="the answer is not of the form that an OpenAI-compatible server gives")

    def _clean(self, text: str) -> str:
        text = replace_surrogates(text)
        return text.replace(self._key, _REDACTED) if self._key else text


class _Refused(Exception):
    """The server gave no answer; the message says why."""
