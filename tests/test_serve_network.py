"""The server on a real socket: many callers, slow callers, callers who make it all up, and its own command line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner
from test_serve import LINE, planted
from toy_model import write_toy

pytest.importorskip("uvicorn", reason="the extra serve is not installed")

from jphtr.serve import server
from jphtr.serve.app import application
from jphtr.serve.limits import Limits
from jphtr.serve.reading import Models, Readings
from jphtr.serve.workers import Reply, Workers


@contextmanager
def running(workers: Workers, limits: Limits, *, saves: bool = False) -> Iterator[str]:
    """The address of a server that answers meanwhile."""
    with workers, server.listen("127.0.0.1", 0) as listening:
        serving = server.of(application(workers, limits, saves=saves))
        thread = Thread(target=serving.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            serving.should_exit = True
            thread.join()


def post(url: str, data: bytes) -> tuple[int, dict[str, str], Any]:
    request = urllib.request.Request(url, data, {"Content-Type": "application/octet-stream"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), json.load(error)


def dawdling() -> Any:
    def handle(job: str, options: dict[str, Any], data: bytes) -> Reply:
        time.sleep(0.05)
        return Reply(200, "application/json", b"{}")

    return handle


def test_fifty_callers_at_once_are_answered_or_told_to_come_back() -> None:
    limits = Limits(queue=8)
    with running(Workers(dawdling, count=1, queue=8, seconds=30), limits) as url:

        def ask(_: int) -> tuple[int, str | None]:
            status, headers, answer = post(f"{url}/read", bytes(300_000))
            assert status in (200, 503), answer
            return status, headers.get("retry-after")

        with ThreadPoolExecutor(51) as pool:
            answers = pool.map(ask, range(50))
            began = time.monotonic()
            with urllib.request.urlopen(f"{url}/health") as health:
                assert json.load(health)["status"] == "ok"
            waited = time.monotonic() - began
            statuses = list(answers)
        assert waited < 5
        assert 9 <= sum(status == 200 for status, _ in statuses) < 50
        assert all((status == 503) == (after is not None and int(after) >= 1) for status, after in statuses)
        assert post(f"{url}/read", b"x")[0] == 200


def test_who_goes_away_makes_room() -> None:
    limits = Limits(queue=0, seconds=60)
    with running(Workers(planted, count=1, queue=0, seconds=60), limits) as url:
        address = ("127.0.0.1", int(url.rsplit(":")[-1]))
        with socket.create_connection(address) as caller:
            caller.sendall(b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nslow")
            wait(lambda: taken(url) == 1)
            assert post(f"{url}/read", b"x")[0] == 503
        wait(lambda: taken(url) == 0)
        assert post(f"{url}/read", b"x")[0] == 200


def taken(url: str) -> int:
    with urllib.request.urlopen(f"{url}/health") as health:
        return int(json.load(health)["taken"])


def wait(until: Any) -> None:
    for _ in range(200):
        if until():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nonly this", b"HTTP/1.1 408"),
        (b"GET /health HTTP/1.1\r\nHost: loc", b""),  # a head that never ends
        (b"", b""),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000, b"HTTP/1.1 400"),
        (b"GET /health HTTP/1.1\r\n" + b"X: a\r\n" * 20_000, b"HTTP/1.1 400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"HTTP/1.1 400"),  # TLS
        (b"GET /health HTTP/1.1\r\n\r\n", b"HTTP/1.1 400"),  # no host
        (b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", b"HTTP/1.1 400"),
        (b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999999\r\n\r\nx", b"HTTP/1.1 413"),
        (b"POST /read HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 400"),
    ],
)  # fmt: skip
def test_slow_and_broken_requests_end(
    monkeypatch: pytest.MonkeyPatch, patient: str, sent: bytes, answer: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", int(patient.rsplit(":")[-1])), timeout=20) as caller:
        try:
            caller.sendall(sent)
            found = caller.recv(1000)
        except (ConnectionResetError, BrokenPipeError):
            found = b""
        assert found.startswith(answer)
    assert post(f"{patient}/read", b"x")[0] == 200


@pytest.fixture(scope="module")
def patient() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "_HEAD_SECONDS", 1.0)
        patch.setattr("jphtr.serve.upload._DRAIN_SECONDS", 0.5)
        with running(Workers(planted, count=1, queue=4, seconds=30), Limits(upload_seconds=0.5)) as url:
            yield url


# the API against its own description

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import negative_data_rejection
from schemathesis.transport.serialization import Binary

load_all_checks()
READING = json.dumps(
    [{"width": 184, "height": 48, "lines": [{"text": "あ", "quad": [[0, 0], [9, 0], [9, 9], [0, 9]]}]}]
)


def pictured(body: Any) -> Any:
    """What was made up for a body, with a picture and a reading where only bytes and a text were described."""
    if isinstance(body, dict):
        return {"file": Binary(LINE)} | ({"reading": READING} if "reading" in body else {})
    return Binary(LINE) if isinstance(body, bytes | Binary) else body


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("fuzzed")
    model = write_toy(folder / "line.onnx")
    limits = Limits(megabytes=1, megapixels=1, seconds=20)
    readings = partial(Readings, Models(model, lm="none", threads=1), limits)
    with running(Workers(readings, count=1, queue=4, seconds=20), limits) as url:
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
@pytest.mark.parametrize("path", ["/read", "/classify", "/export", "/health", "/version"])
def test_the_api_does_what_it_says_whatever_is_sent(api: Any, path: str, mode: Any) -> None:
    (operation,) = api[path].values()
    try:
        cases = operation.as_strategy(generation_mode=mode)

        @given(cases)
        @settings(
            max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        def check(case: Any) -> None:
            if mode is schemathesis.GenerationMode.NEGATIVE:
                case.call_and_validate()
            else:
                case.body = pictured(case.body)
                case.call_and_validate(excluded_checks=[negative_data_rejection])  # which a changed body would wake

        check()
    except Unsatisfiable:
        assert path in ("/health", "/version")  # where nothing is sent nothing can be wrong


# the command

COMMAND = [sys.executable, "-m", "jphtr", "serve"]


def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    model = write_toy(tmp_path / "line.onnx")
    run = subprocess.Popen([*COMMAND, "--port", "0", "-m", str(model)], stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert run.stderr is not None
    try:
        line = run.stderr.readline()
        url = line.split(" at ")[1].split()[0]
        assert post(f"{url}read?decoder=greedy&format=json", LINE)[2][0]["lines"][0]["text"] == "あい漢"
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 0
        assert run.stderr.read() == ""
        assert [path.name for path in tmp_path.iterdir()] == ["line.onnx"]
    finally:
        run.kill()
        run.wait()
        run.stderr.close()


def test_what_cannot_be_served_is_said_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jphtr.cli.serve import serve
    from jphtr.errors import JphtrError

    def error(*options: object) -> str:
        result = CliRunner().invoke(serve, [str(option) for option in options])
        assert isinstance(result.exception, JphtrError)
        return str(result.exception)

    with server.listen("127.0.0.1", 0) as taken_socket:
        port = taken_socket.getsockname()[1]
        assert error("--port", port).startswith(f"127.0.0.1:{port}: cannot listen there")
    (tmp_path / "file").write_text("")
    assert "is not a folder" in error("--port", 0, "--save", tmp_path / "file")
    (tmp_path / "no.onnx").write_text("no model")
    assert str(tmp_path / "no.onnx") in error("--port", 0, "-m", tmp_path / "no.onnx")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert 'pip install "jphtr[serve]"' in error("--port", 0)


@pytest.mark.parametrize(("host", "private"), [("127.0.0.1", True), ("localhost", True), ("0.0.0.0", False)])
def test_whoever_listens_to_everybody_is_warned(host: str, private: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from jphtr.cli.serve import serve

    names: list[str] = []

    def fake(listening: object, *_: object, ready: Any, **given: Any) -> None:
        names.extend(given["names"])
        ready()

    monkeypatch.setattr(server, "serve", fake)
    result = CliRunner().invoke(serve, ["--host", host, "--port", "0", "--allow-host", "reader.example"])
    assert result.exit_code == 0, result.output
    assert ("warning" in result.stderr) is not private
    assert (socket.gethostname() in names) is not private
    assert "reader.example" in names
    assert result.stdout == ""


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_workers_go_when_the_server_is_killed(tmp_path: Path) -> None:
    model = write_toy(tmp_path / "line.onnx")
    run = subprocess.Popen([*COMMAND, "--port", "0", "-m", str(model)], stderr=subprocess.PIPE, text=True)
    assert run.stderr is not None
    run.stderr.readline()
    run.kill()
    run.wait()
    # the workers hold the same stderr: it ends when the last of them has gone
    began = time.monotonic()
    run.stderr.read()
    run.stderr.close()
    assert time.monotonic() - began < 20
