"""What bad clients do: each is answered with its code, or dropped, and ends alone."""

import json
import socket
import struct
import threading
import time

import pytest

import serving
from serving import request_bytes

LIMITS = ["--ctx", 2048, "--header-timeout", 1, "--body-timeout", 1, "--write-timeout", 2, "--idle-timeout", 2,
          "--max-body-bytes", 4 << 20, "--max-connections", 300]


@pytest.fixture(scope="module")
def server(gemma):
    with serving.Server(f"gemma={gemma}", *LIMITS) as s:
        yield s
        assert s.alive()
        assert s.post("/v1/completions", {"prompt": "Hi", "max_tokens": 1})[0] == 200


def test_half_a_head_is_408(server):
    assert server.raw(b"GET /v1/models HTTP/1.1\r\nHos").status() == 408


def test_half_a_body_is_408(server):
    assert server.raw(request_bytes("/tokenize", b'{"prompt": "x"}')[:-5]).status() == 408


def test_an_idle_connection_is_closed_without_a_word(server):
    start = time.monotonic()
    assert server.raw().read() == b""
    assert 1.5 < time.monotonic() - start < 10


@pytest.mark.parametrize("data, status", [
    (b"\x00\x01\x02\x03 garbage\r\n\r\n", 400), (b"GET /v1/models\r\n\r\n", 400), (b"GET  / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\n\r\n", 505), (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"GET /v1/models HTTP/1.1\r\nBad Header: 1\r\n\r\n", 400),
    (b"POST /tokenize HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST /tokenize HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", 400),
    (b"POST /tokenize HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST /tokenize HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
    (b"POST /tokenize HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", 400),
    (b"GET /v1/models HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", 431),
    (b"GET /v1/models HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(20_000)) + b"\r\n", 431),
    (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 431), (b"GET /v1/models/%zz HTTP/1.1\r\n\r\n", 400),
    (b"GET /v1/models/%00 HTTP/1.1\r\n\r\n", 400), (b"GET /v2/models/a%2e%2e/ready HTTP/1.0\r\n\r\n", 404),
    (b"GET //etc/passwd HTTP/1.0\r\n\r\n", 404), (b"GET http://x/live HTTP/1.0\r\n\r\n", 200),
])
def test_what_is_not_http_gets_its_code(server, data, status):
    assert server.raw(data).status() == status


def test_a_wrong_method_is_405_with_what_is_allowed(server):
    status, body, headers = server.get("/v1/completions")
    assert status == 405 and headers["allow"] == "POST" and body["error"]["type"] == "invalid_request_error"
    assert server.request("DELETE", "/v1/models")[2]["allow"] == "GET"
    assert server.get("/v1/nothing")[0] == 404
    status, body, _ = server.get("/v2/nothing")
    assert status == 404 and list(body) == ["error"]


def test_head_and_options_have_no_body(server):
    assert server.request("HEAD", "/v1/models")[:2] == (200, "")
    assert server.request("OPTIONS", "/v1/models", headers={"Origin": "http://a"})[0] == 405


@pytest.mark.parametrize("body, word", [
    (b"", "JSON"), (b"{", "JSON"), (b"[1]", "array"), (b'"x"', "string"), (b"null", "null"), (b"{} {}", "JSON"),
    (b'{"prompt": "\xff\xfe"}', "JSON"), (b'{"prompt": "\\ud800"}', "JSON"), (b'{"prompt": 1e999}', "prompt"),
    (b'{"a":' * 200 + b"1" + b"}" * 200, "deeper"), (b"[" * 100_000, "deep"), (b'{"prompt": NaN}', "JSON"),
    (b'{"prompt": "x", "x": "' + b"y" * 3_000_000 + b'"', "JSON"),
])
@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions", "/v1/embeddings", "/tokenize"])
def test_broken_json_is_400(server, path, body, word):
    status, answer, _ = server.post(path, body)
    assert status == 400, answer
    assert word in answer["error"]["message"] or path != "/v1/completions"


def test_a_body_over_the_limit_is_413_before_it_is_read(server):
    head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n"
    start = time.monotonic()
    connection = server.raw(head)
    assert connection.status() == 413 and time.monotonic() - start < 5
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    connection = server.raw(b"POST /tokenize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(6):
        connection.send(chunk)
    assert connection.status() == 413


def test_expect_continue_is_answered_or_refused(server):
    connection = server.raw(b"POST /tokenize HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 15\r\n\r\n")
    assert connection.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.send(b'{"prompt": "x"}')
    assert b"200 OK" in connection.socket.recv(4096)
    refused = server.raw(b"POST /tokenize HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
    assert refused.status() == 413


def test_requests_in_a_pipeline_are_answered_in_order(server):
    bodies = [json.dumps({"prompt": "x " * n}).encode() for n in (1, 50, 3)]
    connection = server.raw(b"".join(request_bytes("/tokenize", b) for b in bodies[:2])
                            + request_bytes("/tokenize", bodies[2], headers="Connection: close\r\n"))
    answers = connection.read().split(b"HTTP/1.1 200 OK")[1:]
    counts = [json.loads(a.split(b"\r\n\r\n", 1)[1])["count"] for a in answers]
    assert len(counts) == 3 and counts[1] > counts[2] > counts[0]


def test_a_streamed_request_in_a_pipeline_is_not_taken_for_a_client_that_left(server):
    stream = json.dumps({"prompt": "One, two,", "max_tokens": 20, "temperature": 0, "stream": True}).encode()
    connection = server.raw(request_bytes("/v1/completions", stream)
                            + b"GET /live HTTP/1.1\r\nConnection: close\r\n\r\n")
    answer = connection.read()
    assert answer.count(b"HTTP/1.1 200 OK") == 2 and b"[DONE]" in answer


def running(server):
    import urllib.request
    text = urllib.request.urlopen(server.metrics_url).read().decode()
    names = ("vllm:num_requests_running", "vllm:num_requests_waiting")
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(names))


def wait_idle(server, timeout_s=20):
    end = time.monotonic() + timeout_s
    while running(server) > 0:
        assert time.monotonic() < end, "the engine still works for a client that left"
        time.sleep(0.05)


LONG = json.dumps({"prompt": "Once upon a time", "max_tokens": 1900, "ignore_eos": True, "stream": True}).encode()
LONG_WHOLE = LONG.replace(b'"stream": true', b'"stream": false')


@pytest.mark.parametrize("body", [LONG, LONG_WHOLE])
@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_vanishes_ends_its_work(server, body, reset):
    connections = [server.raw(request_bytes("/v1/completions", body)) for _ in range(4)]
    end = time.monotonic() + 20
    while running(server) < 4 and time.monotonic() < end:
        time.sleep(0.02)
    assert running(server) == 4
    for c in connections:
        if reset:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()
    wait_idle(server)


def test_a_slow_reader_is_dropped_and_its_work_ends(server):
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    slow.connect(("127.0.0.1", server.port))
    ids = {"return_token_ids": True, "logprobs": 20, "n": 32}
    body = json.dumps({**json.loads(LONG), **ids}).encode()
    slow.sendall(request_bytes("/v1/completions", body))
    wait_idle(server, 60)
    slow.close()


def test_more_connections_than_allowed_are_refused_and_the_rest_still_answers(server):
    held = [server.raw(b"GET /live HTTP/1.1\r\n") for _ in range(299)]
    time.sleep(0.2)
    extra = [server.raw(b"") for _ in range(20)]
    assert any(c.read().startswith(b"HTTP/1.1 503") for c in extra)
    for c in held + extra:
        c.close()
    time.sleep(0.3)
    assert server.alive()


def test_a_thousand_connections_come_and_go(server):
    def hammer():
        for i in range(125):
            c = server.raw(b"GET /v1/models HTTP/1.1\r\nConnection: close\r\n\r\n" if i % 3 else b"GET /v1/mo")
            if i % 3:
                c.read()
            c.close()
    threads = [threading.Thread(target=hammer) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert server.alive()


def test_cors_headers_and_hostile_request_ids_do_no_harm(server):
    _, _, headers = server.get("/live", {"X-Request-Id": "a" * 500, "Origin": "http://evil"})
    assert len(headers["x-request-id"]) == 32 and "access-control-allow-origin" not in headers
    assert server.get("/live", {"X-Request-Id": "fine-1"})[2]["x-request-id"] == "fine-1"
