"""Starting, stopping and guarding: ports, keys, TLS, CORS, overload, draining, models that do not load."""

import json
import signal
import ssl
import subprocess
import threading
import time
import urllib.request

import pytest

import serving
from serving import request_bytes


def test_a_busy_port_is_told_with_the_way_out(gemma):
    with serving.Server(gemma, "--ctx", 512) as first:
        done = subprocess.run([serving.BINARY, "serve", gemma, "--http-port", str(first.port)], capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 1
        assert f"port {first.port} on 127.0.0.1 is taken" in done.stderr and "--http-port" in done.stderr


def test_a_model_that_is_missing_or_broken_is_told_and_ends(tmp_path):
    done = subprocess.run([serving.BINARY, "serve", "/no/such.gguf"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "/no/such.gguf" in done.stderr
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\xff" * 100)
    done = subprocess.run([serving.BINARY, "serve", broken, "--http-port", "0", "--grpc-port", "0", "--no-metrics"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "error: [gguf]" in done.stderr
    done = subprocess.run([serving.BINARY, "serve"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "--model-repository" in done.stderr


def test_a_broken_model_beside_a_good_one_with_keep_going(gemma, tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\xff" * 100)
    with serving.Server(f"good={gemma}", broken, "--keep-going", "--ctx", 512, wait=False) as s:
        end = time.monotonic() + 60
        while (status := s.post("/v1/completions", {"model": "good", "prompt": "Hi", "max_tokens": 1})[0]) == 503:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert status == 200
        health = s.get("/health")[1]
        states = {m["name"]: m["state"] for m in health["models"]}
        assert states == {"good": "READY", "broken": "UNAVAILABLE"}
        assert s.get("/ready")[0] == 200
        status, body, headers = s.post("/v1/completions", {"model": "broken", "prompt": "Hi"})
        assert status == 503 and "gguf" in body["error"]["message"] and headers["retry-after"]


def test_health_answers_while_models_load(gemma):
    with serving.Server(gemma, "--ctx", 512, wait=False) as s:
        assert s.get("/live")[0] == 200
        status, body, _ = s.get("/ready")
        if status == 503:  # on a fast machine it may be ready already
            assert body["status"] == "loading" and 0 <= body["models"][0]["progress"] <= 1
            assert s.post("/v1/completions", {"prompt": "Hi"})[0] == 503
        s.wait_ready()
        assert s.get("/health")[1]["status"] == "ready"
        assert s.get("/health")[1]["models"][0]["progress"] == 1


def test_keys_guard_every_route_but_health_and_are_read_again(gemma, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("# comment\nfirst-key\n")
    with serving.Server(gemma, "--ctx", 512, "--api-key-file", keys) as s:
        routes = [("GET", "/v1/models"), ("POST", "/v1/completions"), ("POST", "/tokenize"), ("GET", "/v2"),
                  ("GET", "/metrics"), ("GET", "/v2/models/x"), ("POST", "/v2/repository/index"), ("GET", "/nothing")]
        for method, path in routes:
            status, _, headers = s.request(method, path)
            assert status == 401 and headers["www-authenticate"] == "Bearer", path
            assert s.request(method, path, headers={"Authorization": "Bearer wrong-key"})[0] == 401
        for path in ("/live", "/ready", "/health", "/v2/health/live", "/v2/health/ready"):
            assert s.get(path)[0] == 200
        assert s.get("/v1/models", {"Authorization": "Bearer first-key"})[0] == 200
        assert s.get("/v1/models", {"X-Api-Key": "first-key"})[0] == 200
        keys.write_text("second-key\n")
        s.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while s.get("/v1/models", {"Authorization": "Bearer second-key"})[0] != 200:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert s.get("/v1/models", {"Authorization": "Bearer first-key"})[0] == 401


def test_cors_lets_the_named_origin_call(gemma):
    with serving.Server(gemma, "--ctx", 512, "--cors-origin", "http://app.example") as s:
        _, _, headers = s.get("/v1/models", {"Origin": "http://app.example"})
        assert headers["access-control-allow-origin"] == "http://app.example"
        assert "access-control-allow-origin" not in s.get("/v1/models", {"Origin": "http://evil"})[2]
        status, _, headers = s.request("OPTIONS", "/v1/completions", headers={
            "Origin": "http://app.example", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type"})
        assert status == 204 and "POST" in headers["access-control-allow-methods"]
        assert headers["access-control-allow-headers"] == "content-type"


def test_tls_encrypts_and_streams(gemma, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                    "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True,
                   capture_output=True)
    context = ssl.create_default_context(cafile=str(certificate))
    with serving.Server(gemma, "--ctx", 512, "--tls-cert", certificate, "--tls-key", key, wait=False) as s:
        assert s.url.startswith("https://")
        body = json.dumps({"prompt": "One, two,", "max_tokens": 8, "stream": True}).encode()
        request = urllib.request.Request(s.url + "/v1/completions", body, {"Content-Type": "application/json"})
        for _ in range(600):
            try:
                text = urllib.request.urlopen(request, context=context, timeout=30).read()
                break
            except urllib.error.HTTPError as e:
                assert e.code == 503
                time.sleep(0.1)
        assert text.endswith(b"data: [DONE]\n\n")
        assert s.raw(b"GET /live HTTP/1.1\r\n\r\n").status() in (0, 400)  # plain text on a TLS port
        assert s.stop() == 0


def test_overload_is_429_with_retry_after_and_the_admitted_end(gemma):
    with serving.Server(gemma, "--ctx", 512, "--max-queue", 4, "--max-sequences", 2) as s:
        answers = []

        def ask():
            answers.append(s.post("/v1/completions", {"prompt": "Once", "max_tokens": 40, "ignore_eos": True}))
        threads = [threading.Thread(target=ask) for _ in range(24)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        codes = [a[0] for a in answers]
        assert set(codes) == {200, 429} and codes.count(200) >= 4
        for status, body, headers in answers:
            if status == 429:
                assert int(headers["retry-after"]) >= 1 and body["error"]["type"] == "rate_limit_error"
            else:
                assert body["usage"]["completion_tokens"] == 40


def test_sigterm_lets_accepted_requests_end_and_exits_0(gemma):
    with serving.Server(gemma, "--ctx", 1024, "--access-log", "none") as s:
        answers = []

        def ask(stream):
            body = {"prompt": "Once upon", "max_tokens": 150, "ignore_eos": True, "temperature": 0, "stream": stream}
            answers.append(s.post("/v1/completions", body))
        threads = [threading.Thread(target=ask, args=(i % 2 == 0,)) for i in range(8)]
        for t in threads:
            t.start()
        idle = s.raw(b"GET /live HTTP/1.1\r\n\r\n")
        assert b"200 OK" in idle.socket.recv(4096)  # and stays open
        time.sleep(1.0)
        s.process.send_signal(signal.SIGTERM)
        for t in threads:
            t.join()
        assert [a[0] for a in answers] == [200] * 8
        for _, body, _ in answers:
            if isinstance(body, dict):
                assert body["usage"]["completion_tokens"] == 150
            else:
                assert body.endswith("data: [DONE]\n\n")
        assert s.process.wait(30) == 0
        assert idle.read() == b""


def test_requests_that_outlive_the_drain_are_ended_and_the_exit_code_tells(gemma):
    with serving.Server(gemma, "--ctx", 2048, "--drain-timeout", 1) as s:
        body = json.dumps({"prompt": "Once", "max_tokens": 2000, "ignore_eos": True, "stream": True}).encode()
        client = s.raw(request_bytes("/v1/completions", body))
        assert b"200 OK" in client.socket.recv(1000)
        start = time.monotonic()
        assert s.stop() == 1
        assert time.monotonic() - start < 20
        assert any("--drain-timeout" in m for m in s.messages)


def test_during_the_shutdown_delay_it_is_not_ready_but_answers(gemma):
    with serving.Server(gemma, "--ctx", 512, "--shutdown-delay", 2) as s:
        s.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert s.get("/ready")[0] == 503 and s.get("/live")[0] == 200
        assert s.post("/v1/completions", {"prompt": "Hi", "max_tokens": 1})[0] == 200
        assert s.process.wait(30) == 0


def test_two_models_answer_under_their_names(gemma):
    with serving.Server(f"a={gemma}", f"b={gemma}", "--ctx", 512) as s:
        assert [m["id"] for m in s.get("/v1/models")[1]["data"]] == ["a", "b"]
        for name in ("a", "b"):
            assert s.post("/v1/completions", {"model": name, "prompt": "Hi", "max_tokens": 1})[1]["model"] == name
        assert s.post("/v1/completions", {"prompt": "Hi"})[0] == 400


def test_nothing_to_do_costs_nothing(gemma):
    with serving.Server(gemma, "--ctx", 512) as s:
        s.post("/v1/completions", {"prompt": "Hi", "max_tokens": 4})
        time.sleep(0.5)

        def ticks():
            fields = open(f"/proc/{s.process.pid}/stat").read().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])
        before = ticks()
        time.sleep(3)
        assert ticks() - before <= 3  # hundredths of a second
