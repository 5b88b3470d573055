"""`ingot bench serve` against a server whose delays are known, and against ours, whose counts its metrics tell."""

import http.server
import json
import socketserver
import subprocess
import threading
import time

import pytest
from onnx import TensorProto, helper

import serving
from test_serve_kserve import model, tensor
from test_serve_metrics import scrape, value

FIRST_S, NEXT_S = 0.15, 0.03


class Slow(http.server.BaseHTTPRequestHandler):
    """Answers each completion with max_tokens pieces: the first after FIRST_S, each other after NEXT_S."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append((time.monotonic(), body))
        if body["prompt"] == "fail":
            answer = b'{"error": {"message": "too much"}}'
            self.send_response(429)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for i in range(body["max_tokens"]):
            time.sleep(NEXT_S if i else FIRST_S)
            self.event({"choices": [{"index": 0, "text": "x"}]})
        self.event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": body["max_tokens"]}})
        self.piece(b"data: [DONE]\n\n")
        self.piece(b"")

    def event(self, value):
        self.piece(b"data: " + json.dumps(value).encode() + b"\n\n")

    def piece(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, *_):
        pass


class SlowServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256


@pytest.fixture()
def slow():
    with SlowServer(("127.0.0.1", 0), Slow) as server:
        server.bodies = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def bench_at(url, *args):
    done = subprocess.run([str(serving.BINARY), "bench", "serve", "--url", url, "--json", *map(str, args)],
                          capture_output=True, text=True, timeout=120)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def bench(port, *args):
    return bench_at(f"http://127.0.0.1:{port}", *args)


def bench_grpc(address, *args):
    return bench_at(f"grpc://{address}", "--protocol", "kserve-grpc", *args)


# A busy machine only makes sleeps longer, so a time is at least what the server waits; the median at most twice that.
def test_times_are_those_of_the_server(slow):
    code, got, error = bench(slow.server_port, "-n", 8, "-c", 4, "--output-tokens", 10)
    assert code == 0, error
    assert got["failed"] == 0 and got["output_tokens"] == 80 and got["prompt_tokens"] == 56
    for key, wanted in (("ttft_ms", FIRST_S), ("itl_ms", NEXT_S), ("tpot_ms", NEXT_S), ("e2e_ms", FIRST_S + 9 * NEXT_S)):
        assert 0.98e3 * wanted <= got[key]["p50"] <= 2e3 * wanted, (key, got[key])
    assert 2 * (FIRST_S + 9 * NEXT_S) <= got["seconds"]  # 8 requests, 4 at a time


def test_goodput_counts_what_meets_all_goals(slow):
    port = slow.server_port
    assert bench(port, "-n", 4, "-c", 4, "--output-tokens", 3, "--goal-ttft", 1)[1]["good"] == 0
    assert bench(port, "-n", 4, "-c", 4, "--output-tokens", 3, "--goal-ttft", 60000, "--goal-tpot", 1)[1]["good"] == 0
    assert bench(port, "-n", 4, "-c", 4, "--output-tokens", 3, "--goal-e2e", 60000)[1]["good"] == 4


def test_an_open_loop_does_not_wait_for_answers(slow):
    code, got, _ = bench(slow.server_port, "-n", 30, "--rate", 60, "--output-tokens", 20, "--warmup", 0)
    assert code == 0 and got["failed"] == 0
    times = sorted(t for t, _ in slow.bodies)
    assert 0.2 < times[-1] - times[0] < 5  # half a second is expected; one answer takes 0.7 s, so 30 in turn take 21


def test_a_burst_comes_at_once(slow):
    bench(slow.server_port, "-n", 12, "--rate", 8, "--burst", 4, "--output-tokens", 1, "--warmup", 0)
    times = sorted(t for t, _ in slow.bodies)
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert sum(g > 0.3 for g in gaps) == 2, gaps  # three bursts, half a second apart


def test_prompts_share_prefixes_and_repeat_with_the_seed(slow):
    args = ("-n", 6, "--input-tokens", 20, "--prefix-tokens", 12, "--prefixes", 2, "--output-tokens", 1, "--warmup", 0)
    bench(slow.server_port, *args)
    first = [b["prompt"] for _, b in slow.bodies]
    bench(slow.server_port, *args)
    assert [b["prompt"] for _, b in slow.bodies[6:]] == first
    assert all(len(p) == 20 for p in first) and len({tuple(p[:12]) for p in first}) == 2
    assert len({tuple(p) for p in first}) == 6


def test_prompts_of_a_file(slow, tmp_path):
    data = tmp_path / "prompts.jsonl"
    data.write_text('"hello"\n{"prompt": "fail", "max_tokens": 2}\n')
    code, got, error = bench(slow.server_port, "-n", 4, "--data", data, "--output-tokens", 1)
    assert code == 0, error
    assert got["failed"] == 2 and "429" in got["first_error"] and "too much" in got["first_error"]
    data.write_text('"hello"\n[1]\n')
    code, _, error = bench(slow.server_port, "--data", data)
    assert code == 2 and "line 2" in error


def test_nobody_there_and_wrong_urls():
    assert bench(1, "-n", 1)[0] == 1
    code, _, error = bench_at("ftp://x")
    assert code == 2 and "ftp://x" in error
    for url in ("http://127.0.0.1:80009", "http://127.0.0.1:8000"):  # no port but this is asked
        code, _, error = bench_at(url, "--protocol", "kserve-grpc", "--model", "m")
        assert code == 2 and f"'{url}' is not grpc://HOST:PORT" in error


def test_counts_agree_with_the_servers_metrics(gemma):
    with serving.Server(f"gemma={gemma}", "--ctx", 1024) as server:
        code, got, error = bench(server.port, "-n", 8, "-c", 4, "--input-tokens", 100, "--prefix-tokens", 64,
                                 "--output-tokens", 12, "--warmup", 0)
        assert code == 0, error
        text, label = scrape(server), '{engine="0",model_name="gemma"'
        assert value(text, f"vllm:prompt_tokens_total{label}") == got["prompt_tokens"] == 800
        assert value(text, f"vllm:generation_tokens_total{label}") == got["output_tokens"] == 96
        # What the client sees includes the way; the server's own sums are a lower bound.
        server_ttft = value(text, f"vllm:time_to_first_token_seconds_sum{label}") / 8
        assert got["ttft_ms"]["mean"] >= 1e3 * server_ttft * 0.98


@pytest.mark.parametrize("way", [lambda server: (bench, server.port), lambda server: (bench_grpc, server.grpc)],
                         ids=["http", "grpc"])
def test_tensor_models_get_what_their_metadata_asks_for(tmp_path, way):
    model(tmp_path / "add/1/model.onnx", [helper.make_node("Add", ["a", "b"], ["y"])],
          [tensor("a", TensorProto.FLOAT, ["rows", 3]), tensor("b", TensorProto.FLOAT, [1, 3])],
          [tensor("y", TensorProto.FLOAT, ["rows", 3])])
    with serving.Server("--model-repository", tmp_path) as server:
        measure, address = way(server)
        code, got, error = measure(address, "--api", "infer", "--model", "add", "--batch", 5, "-n", 50, "-c", 4)
        assert code == 0, error
        assert got["requests"] == 50 and got["failed"] == 0 and "ttft_ms" not in got
        assert value(scrape(server), 'nv_inference_request_success{model="add"') == 51  # one warms up
        code, _, error = measure(address, "--api", "infer", "--model", "none")
        assert code == 1 and "none" in error


def test_language_models_are_measured_over_grpc_too(gemma):
    with serving.Server(f"gemma={gemma}", "--ctx", 1024) as server:
        code, got, error = bench_grpc(server.grpc, "--model", "gemma", "-n", 8, "-c", 4, "--input-tokens", 50,
                                      "--output-tokens", 12, "--warmup", 0, "--goal-e2e", 600000)
        assert code == 0, error
        text, label = scrape(server), '{engine="0",model_name="gemma"'
        assert value(text, f"vllm:prompt_tokens_total{label}") == got["prompt_tokens"] > 8 * 40
        assert value(text, f"vllm:generation_tokens_total{label}") == got["output_tokens"] == 96
        assert got["failed"] == 0 and got["good"] == 8 and 0 < got["ttft_ms"]["p50"] < got["e2e_ms"]["p50"]
        code, _, error = bench_grpc(server.grpc, "--model", "none")
        assert code == 1 and "unknown model: 'none'" in error


def test_no_grpc_server_there_and_wrong_addresses():
    assert bench_grpc("127.0.0.1:1", "--api", "infer", "--model", "add", "--timeout", 5)[0] == 1
    assert bench_grpc("x", "--api", "infer", "--model", "add")[0] == 2
