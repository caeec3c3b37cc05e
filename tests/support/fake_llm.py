"""A language model on loopback, of the OpenAI kind, and the ways such servers fail.

Source: https://platform.openai.com/docs/api-reference/chat
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

KEY = "sk-0123456789secret"


def chat_body(content: object) -> bytes:
    """The body of an answer."""
    return json.dumps(
        {"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", "content": content}}]}
    ).encode()


@dataclass
class FakeLlm:
    """What the server answers, and the requests that it received: path, headers in lower case, body.

    drip: seconds between the bytes of the answer. silent: there is no answer while the server lives.
    """

    answer: Callable[[str], object] = lambda _: '{"+": "plus", "-": "minus"}'
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0.0
    silent: bool = False
    echo: bool = False
    address: str = ""
    requests: list[tuple[str, dict[str, str], dict[str, object]]] = field(default_factory=list)
    stopped: Event = field(default_factory=Event)


@contextmanager
def fake_llm(**behaviour: object) -> Iterator[FakeLlm]:
    """Serve a language model at a free port of loopback while the context lasts."""
    llm = FakeLlm(**behaviour)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            llm.requests.append((self.path, headers, given))
            if llm.silent:
                llm.stopped.wait(30)
                return
            content = headers.get("authorization") if llm.echo else llm.answer(given["messages"][0]["content"])
            body = chat_body(content) if llm.body is None else llm.body
            self.send_response(llm.status)
            for name, value in llm.headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):
                for at in range(0, len(body), 1 if llm.drip else len(body)):
                    self.wfile.write(body[at : at + (1 if llm.drip else len(body))])
                    if llm.drip and llm.stopped.wait(llm.drip):
                        return

        def do_GET(self) -> None:
            raise AssertionError("a redirect was followed")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    llm.address = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield llm
    finally:
        llm.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
