"""A model server for tests: real HTTP, the OpenAI chat protocol, scripted replies, faults on demand.

In a test::

    with FakeOpenAI("hello") as server:                      # one text for all requests
        ask(api_base=server.url)                             # http://127.0.0.1:PORT/v1
    with FakeOpenAI([Scripted(fault="rate-limit"), "hello"]) as server:   # in turn; the last one repeats
    with FakeOpenAI(lambda request, n: Scripted(text=f"{n}")) as server:  # request: the JSON body; n: 0-based
    with FakeOpenAI(Rules.load(path)) as server:             # the instant model, below
    server.requests                                          # what came: `Received`, in order
    server.asked_twice()                                     # requests that came more than once, word for word

As a process, for end-to-end tests and benchmarks::

    python tests/fakes/openai_server.py --port 0 --script FILE.json --log LOG.jsonl

It prints `http://127.0.0.1:PORT/v1` as its first line, then serves until it is killed or its standard input closes
(`--keep` ignores standard input). Every answered request appends one JSON line to the log (`n`, `digest`, `rule`,
`model`, `sent`, `status`); `GET /__requests` answers the same as a JSON list and `DELETE /__requests` forgets it.

**Instant model.** A script is a JSON object::

    {
      "rules": [
        {"name": "plan", "contains": ["You are the planner", "URL shortener"], "reply": "…"},
        {"name": "build", "matches": "task (T\\d+)", "last": true, "reply_file": "build.md", "usage": [900, 40]},
        {"name": "edit", "contains": ["T2"], "tool_calls": [{"name": "edit", "arguments": {"path": "a.py"}}]},
        {"name": "flaky", "contains": ["T3"], "fault": "server-error", "times": 1}
      ],
      "default": {"reply": "No rule matched."}
    }

The first rule whose conditions all hold answers. `contains` lists texts that must be in the prompt (all messages,
system prompt included, joined by blank lines; with `"last": true`, the last message only); `absent` lists texts that
must not be; `matches` is a regular expression searched in the same text, and `{1}`, `{2}` … in `reply` stand for its
groups when `"expand": true`. `after_tool` (true or false) holds if the last message is, or is not, a tool's result.
`times` bounds how often a rule answers in the life of the server; leave it out where a request may be repeated after a
crash, so that a repeat is answered alike. Other fields are those of `Scripted`. Without a default, a request that
matches no rule is answered 400 with its last message, so that a test fails with the reason.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import re
import select
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self, cast

__all__ = ["FakeOpenAI", "Received", "Rules", "Scripted", "Tool"]

Body = dict[str, Any]

FAULTS = {
    "": "none",
    "rate-limit": "429, with Retry-After if `retry_after` is not negative",
    "rate-limit-body": "429, the delay told in the error's text only",
    "server-error": "500",
    "overloaded": "503, with Retry-After if `retry_after` is not negative",
    "unauthorized": "401",
    "quota": "429 insufficient_quota",
    "context": "400 context_length_exceeded",
    "not-found": "404 model_not_found",
    "slow-start": "waits `delay` seconds before the first byte",
    "slow-bytes": "waits `delay` seconds between chunks",
    "cut": "closes the connection after half of the chunks",
    "stop-early": "ends the stream properly, but before the reply is finished",
    "bad-tool-json": "tool call arguments are cut, so that they are not JSON",
    "empty": "an assistant message without text or calls",
    "garbage": "200 with bytes that are not the protocol",
    "garbage-stream": "a good stream, then bytes that are not the protocol",
    "stream-error": "an error object within the stream after half of the chunks",
    "refuse": "closes the connection without an answer",
}
"""Every fault a `Scripted` may name."""


@dataclass(frozen=True)
class Tool:
    """A tool call of a scripted reply; `arguments` is JSON text."""

    name: str
    arguments: str = "{}"
    id: str = ""


@dataclass(frozen=True)
class Scripted:
    """One reply."""

    text: str = ""
    tool_calls: tuple[Tool, ...] = ()
    usage: tuple[int, int] | None = None
    """Prompt and completion tokens; a quarter of the characters if None."""
    fault: str = ""
    """One of `FAULTS`."""
    retry_after: float = -1.0
    delay: float = 0.0
    finish: str = ""
    """finish_reason; `tool_calls` or `stop` if empty."""
    chunk: int = 24
    """Characters a delta."""
    no_usage: bool = False
    """Leave usage out, as some local servers do."""
    rule: str = ""
    """Name of the rule it comes from."""

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"no fault {self.fault!r}; one of {', '.join(sorted(FAULTS))}")


@dataclass
class Received:
    """A request that came."""

    n: int
    body: Body
    authorization: str
    at: float
    digest: str
    """Of model, messages and tools: equal for the same request asked twice."""
    scripted: Scripted
    status: int = 0
    """0 while nothing was answered."""
    sent: bool = False
    """The whole reply was written, its last bytes perhaps about to be."""
    left: threading.Event = field(default_factory=threading.Event)
    """Set when the client closed the connection before the whole reply was written."""

    @property
    def prompt(self) -> str:
        """All messages' texts."""
        return prompt_of(self.body)

    def summary(self) -> Body:
        """Return what the log keeps."""
        model = self.body.get("model", "")
        return {"n": self.n, "digest": self.digest, "rule": self.scripted.rule, "model": model, "sent": self.sent,
                "status": self.status}  # fmt: skip


Reply = Callable[[Body, int], Scripted]


def text_of(message: Body) -> str:
    """Return a message's text; parts are joined."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in cast("list[Body]", content))


def prompt_of(body: Body) -> str:
    """Return all messages' texts, joined by blank lines."""
    return "\n\n".join(text_of(message) for message in body.get("messages", []))


@dataclass
class Rule:
    """A rule of the instant model."""

    scripted: Scripted
    contains: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    matches: str = ""
    last: bool = False
    after_tool: bool | None = None
    expand: bool = False
    times: int = -1

    def reply(self, body: Body) -> Scripted | None:
        """Return the rule's reply if its conditions hold."""
        messages: list[Body] = body.get("messages", [])
        last = messages[-1] if messages else {}
        text = text_of(last) if self.last else prompt_of(body)
        found = re.search(self.matches, text)
        holds = (
            self.times != 0
            and found is not None
            and all(part in text for part in self.contains)
            and not any(part in text for part in self.absent)
            and self.after_tool in {None, last.get("role") == "tool"}
        )
        if not holds or found is None:
            return None
        self.times -= 1
        if not self.expand:
            return self.scripted
        filled = re.sub(r"\{(\d)\}", lambda group: found.group(int(group[1])), self.scripted.text)
        return replace(self.scripted, text=filled)


class Rules:
    """The instant model: a reply chosen by what the prompt says."""

    def __init__(self, script: Body, folder: Path | None = None) -> None:
        """Read a script; `reply_file` paths are relative to `folder`."""
        self._folder = folder or Path.cwd()
        self._lock = threading.Lock()
        rules: list[Body] = script.get("rules", [])
        self.rules = [self._rule(rule, f"rule-{number}") for number, rule in enumerate(rules)]
        default: Body | None = script.get("default")
        if default is not None:
            self.rules.append(self._rule(default, "default"))

    @classmethod
    def load(cls, path: Path) -> Rules:
        """Read a script file."""
        return cls(json.loads(path.read_text("utf-8")), path.parent)

    def _rule(self, rule: Body, name: str) -> Rule:
        text = str(rule.get("reply", ""))
        if "reply_file" in rule:
            text = (self._folder / rule["reply_file"]).read_text("utf-8")
        tools = tuple(
            Tool(
                tool["name"], tool["arguments"] if isinstance(tool["arguments"], str) else json.dumps(tool["arguments"])
            )
            for tool in rule.get("tool_calls", [])
        )
        usage: Sequence[int] | None = rule.get("usage")
        names = ("fault", "retry_after", "delay", "finish", "chunk", "no_usage")
        fields: Body = {key: rule[key] for key in names if key in rule}
        fields["usage"] = (usage[0], usage[1]) if usage else None
        scripted = Scripted(text, tools, rule=str(rule.get("name", name)), **fields)
        conditions: Body = {
            key: rule[key] for key in ("matches", "last", "after_tool", "expand", "times") if key in rule
        }
        return Rule(scripted, tuple(rule.get("contains", ())), tuple(rule.get("absent", ())), **conditions)

    def __call__(self, body: Body, _n: int) -> Scripted:
        """Return the first matching rule's reply; raise LookupError if there is none."""
        with self._lock:
            for rule in self.rules:
                scripted = rule.reply(body)
                if scripted is not None:
                    return scripted
        messages: list[Body] = body.get("messages", [])
        raise LookupError(f"no rule matches: {text_of(messages[-1]) if messages else ''}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    owner: FakeOpenAI

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about connections that a client or a fault cut."""


class FakeOpenAI:
    """The server, in a thread of its own, on a free loopback port."""

    def __init__(
        self,
        reply: Reply | str | Scripted | Sequence[str | Scripted] = "ok",
        *,
        port: int = 0,
        models: Sequence[str] = ("fake",),
        log: Path | None = None,
    ) -> None:
        self.models = list(models)
        self.requests: list[Received] = []
        self._reply = _as_reply(reply)
        self._log = log
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.stopping = threading.Event()

    @property
    def port(self) -> int:
        """The port in use."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The API base."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def asked_twice(self) -> list[Received]:
        """Return the requests that came before, word for word."""
        counts: Counter[str] = Counter()
        again: list[Received] = []
        for request in list(self.requests):
            counts[request.digest] += 1
            if counts[request.digest] > 1:
                again.append(request)
        return again

    def receive(self, body: Body, authorization: str) -> Received:
        """Record a request and choose its reply."""
        told = {key: body.get(key) for key in ("model", "messages", "tools")}
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        with self._lock:
            n = len(self.requests)
            request = Received(n, body, authorization, time.time(), digest, Scripted())
            self.requests.append(request)
        request.scripted = self._reply(body, n)
        return request

    def answered(self, request: Received) -> None:
        """Write the log's line."""
        if self._log is not None:
            with self._lock, self._log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(request.summary()) + "\n")

    def forget(self) -> None:
        """Forget the requests that came."""
        with self._lock:
            self.requests.clear()


def _as_reply(reply: Reply | str | Scripted | Sequence[str | Scripted]) -> Reply:
    if callable(reply):
        return reply
    several = [reply] if isinstance(reply, str | Scripted) else list(reply)
    script = [Scripted(one) if isinstance(one, str) else one for one in several]
    return lambda _body, n: script[min(n, len(script) - 1)]


_ERRORS: dict[str, tuple[int, str, str]] = {
    "rate-limit": (429, "rate_limit_exceeded", "Rate limit reached."),
    "rate-limit-body": (429, "rate_limit_exceeded", "Rate limit reached. Please try again in {retry}."),
    "server-error": (500, "server_error", "The server had an error."),
    "overloaded": (503, "overloaded", "The engine is overloaded."),
    "unauthorized": (401, "invalid_api_key", "Incorrect API key provided."),
    "quota": (
        429,
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "context": (400, "context_length_exceeded", "This model's maximum context length is 8192 tokens."),
    "not-found": (404, "model_not_found", "The model does not exist."),
}


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def owner(self) -> FakeOpenAI:
        """The server this connection came to."""
        return cast("_Server", self.server).owner

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Print nothing."""

    def do_GET(self) -> None:
        if self.path.rstrip("/").endswith("/models"):
            data = [{"id": name, "object": "model", "owned_by": "fake"} for name in self.owner.models]
            self._json(200, {"object": "list", "data": data})
        elif self.path == "/__requests":
            self._json(200, [request.summary() for request in self.owner.requests])
        else:
            self._json(404, {"error": {"message": f"no {self.path}", "code": "not_found"}})

    def do_DELETE(self) -> None:
        self.owner.forget()
        self._json(200, {})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path.rstrip("/").endswith("/embeddings"):
            self._embed(json.loads(raw))
            return
        try:
            body = json.loads(raw)
            request = self.owner.receive(body, self.headers.get("Authorization", ""))
        except (ValueError, LookupError) as problem:
            self._json(400, {"error": {"message": str(problem), "type": "invalid_request_error", "code": "no_rule"}})
            return
        try:
            self._answer(request)
        except (OSError, _LeftError):
            request.sent = False
            request.left.set()
            self.close_connection = True
        finally:
            self.owner.answered(request)

    def _embed(self, body: Body) -> None:
        given: str | list[str] = body["input"]
        texts = [given] if isinstance(given, str) else given
        vectors = [[len(text) / 100, text.count(" ") / 10, 1.0] for text in texts]
        data = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
        usage = {"prompt_tokens": sum(map(len, texts)) // 4, "total_tokens": sum(map(len, texts)) // 4}
        self._json(200, {"object": "list", "model": body.get("model", ""), "data": data, "usage": usage})

    def _json(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self, request: Received) -> None:
        scripted = request.scripted
        if scripted.fault == "refuse":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if scripted.fault in _ERRORS:
            self._fail(request)
            return
        if scripted.fault == "slow-start":
            self._wait(scripted.delay)
        request.status = 200
        if request.body.get("stream") and scripted.fault != "garbage":
            self._stream(request)
            return
        request.sent = True
        if scripted.fault == "garbage":
            self._raw(b"\x00\xff\x1b[2J<html>not the protocol</html>")
        else:
            self._json(200, _completion(request))

    def _fail(self, request: Received) -> None:
        scripted = request.scripted
        status, code, message = _ERRORS[scripted.fault]
        request.status = status
        told = scripted.retry_after >= 0 and scripted.fault != "rate-limit-body"
        headers = {"Retry-After": f"{scripted.retry_after:g}"} if told else {}
        text = message.replace("{retry}", f"{max(scripted.retry_after, 0) * 1000:.0f}ms")
        request.sent = True
        self._json(status, {"error": {"message": text, "type": code, "code": code}}, headers)

    def _raw(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, request: Received) -> None:
        scripted = request.scripted
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        chunks = list(_chunks(request))
        for number, chunk in enumerate(chunks):
            if number >= len(chunks) // 2 and self._break(scripted.fault):
                return
            if number and scripted.fault == "slow-bytes":
                self._wait(scripted.delay)
            self._event(json.dumps(chunk).encode())
        request.sent = True
        self._event(b"[DONE]")
        self._chunk(b"")

    def _break(self, fault: str) -> bool:
        """Do what a fault does in the middle of a stream; return whether the stream is over."""
        if fault == "cut":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault == "stop-early":
            self._chunk(b"")
        elif fault == "garbage-stream":
            self._event(b"\x00\xff{not json")
            self._chunk(b"")
        elif fault == "stream-error":
            self._event(json.dumps({"error": {"message": "The server had an error.", "code": "server_error"}}).encode())
            self._chunk(b"")
        return fault in {"cut", "stop-early", "garbage-stream", "stream-error"}

    def _event(self, data: bytes) -> None:
        self._chunk(b"data: " + data + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _wait(self, seconds: float) -> None:
        """Wait; raise _LeftError as soon as the client closes the connection or the server stops."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            readable, _, _ = select.select([self.connection], [], [], min(left, 0.02))
            if self.owner.stopping.is_set() or (readable and not self.connection.recv(1, socket.MSG_PEEK)):
                raise _LeftError


class _LeftError(Exception):
    """The client is gone."""


def _usage(request: Received) -> Body:
    scripted = request.scripted
    said = scripted.text + "".join(tool.arguments for tool in scripted.tool_calls)
    prompt, completion = scripted.usage or (len(request.prompt) // 4, len(said) // 4)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _calls(request: Received) -> list[Body]:
    calls: list[Body] = []
    for number, tool in enumerate(request.scripted.tool_calls):
        cut = request.scripted.fault == "bad-tool-json"
        arguments = tool.arguments[: max(1, len(tool.arguments) // 2)] if cut else tool.arguments
        function = {"name": tool.name, "arguments": arguments}
        calls.append({"id": tool.id or f"call_{request.n}_{number}", "type": "function", "function": function})
    return calls


def _head(request: Received, kind: str) -> Body:
    model = request.body.get("model", "fake")
    return {"id": f"chatcmpl-{request.n}", "object": kind, "created": int(request.at), "model": model}


def _finish(request: Received) -> str:
    return request.scripted.finish or ("tool_calls" if request.scripted.tool_calls else "stop")


def _completion(request: Received) -> Body:
    text = "" if request.scripted.fault == "empty" else request.scripted.text
    message: Body = {"role": "assistant", "content": text}
    if calls := _calls(request):
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": _finish(request)}
    return {**_head(request, "chat.completion"), "choices": [choice], "usage": _usage(request)}


def _chunks(request: Received) -> Iterator[Body]:
    scripted = request.scripted
    head = _head(request, "chat.completion.chunk")

    def delta(change: Body, finish: str | None = None) -> Body:
        return {**head, "choices": [{"index": 0, "delta": change, "finish_reason": finish}]}

    yield delta({"role": "assistant", "content": ""})
    text = "" if scripted.fault == "empty" else scripted.text
    for start in range(0, len(text), scripted.chunk):
        yield delta({"content": text[start : start + scripted.chunk]})
    for number, call in enumerate(_calls(request)):
        arguments = call["function"]["arguments"]
        yield delta({"tool_calls": [{**call, "index": number, "function": {**call["function"], "arguments": ""}}]})
        for start in range(0, len(arguments), scripted.chunk):
            part = {"index": number, "function": {"arguments": arguments[start : start + scripted.chunk]}}
            yield delta({"tool_calls": [part]})
    yield delta({}, _finish(request))
    options: Body = request.body.get("stream_options") or {}
    if options.get("include_usage") and not scripted.no_usage:
        yield {**head, "choices": [], "usage": _usage(request)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until killed, or until standard input closes."""
    parser = argparse.ArgumentParser(description="A model server for tests.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", type=Path, help="the instant model's rules; without it every reply is `ok`")
    parser.add_argument("--log", type=Path, help="append a JSON line for each answered request")
    parser.add_argument("--keep", action="store_true", help="go on when standard input closes")
    options = parser.parse_args(arguments)
    reply: Reply | str = Rules.load(options.script) if options.script else "ok"
    with contextlib.suppress(KeyboardInterrupt), FakeOpenAI(reply, port=options.port, log=options.log) as server:
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        while options.keep or sys.stdin.readline():
            if options.keep:
                time.sleep(3600)
    return 0


if __name__ == "__main__":
    sys.exit(main())
