"""Prometheus' own checker reads /metrics; the numbers are what the requests were."""

import shutil
import subprocess
import urllib.request

import pytest

import serving

# vLLM's and Triton's names are kept for their dashboards, though promtool would name them otherwise.
TOLERATED = ("vllm:", "nv_inference_")


@pytest.fixture(scope="module")
def server(gemma):
    with serving.Server(f"gemma={gemma}", "--ctx", 1024) as s:
        for stream in (False, True):
            body = {"prompt": "Once upon a time", "max_tokens": 20, "ignore_eos": True, "stream": stream}
            assert s.post("/v1/completions", body)[0] == 200
        assert s.get("/nothing/at/all")[0] == 404
        yield s


def scrape(server):
    with urllib.request.urlopen(server.metrics_url) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return answer.read().decode()


def value(text, start):
    lines = [line for line in text.splitlines() if line.startswith(start)]
    assert lines, f"no {start}"
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def test_promtool_finds_nothing_but_vllms_names(server):
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.fail("promtool is missing; run tools/deps --test")
    done = subprocess.run([promtool, "check", "metrics"], input=scrape(server), capture_output=True, text=True)
    problems = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith(TOLERATED)]
    assert done.returncode in (0, 3) and problems == []


def test_the_counts_are_those_of_the_requests(server):
    text = scrape(server)
    label = '{engine="0",model_name="gemma"'
    assert value(text, f"vllm:generation_tokens_total{label}") == 40
    assert value(text, f"vllm:prompt_tokens_total{label}") == 10
    assert value(text, f'vllm:request_success_total{label},finished_reason="length"') == 2
    for name in ("time_to_first_token_seconds", "e2e_request_latency_seconds", "request_queue_time_seconds",
                 "request_prompt_tokens", "request_generation_tokens"):
        assert value(text, f"vllm:{name}_count{label}") == 2, name
    assert value(text, f"vllm:inter_token_latency_seconds_count{label}") == 38
    assert value(text, 'vllm:time_to_first_token_seconds_bucket{engine="0",model_name="gemma",le="+Inf"}') == 2
    assert value(text, f"vllm:num_requests_running{label}") == value(text, f"vllm:num_requests_waiting{label}") == 0
    assert value(text, 'ingot_http_requests_total{route="/v1/completions",status="200"}') == 2
    assert value(text, 'ingot_http_requests_total{route="other",status="404"}') == 1
    assert value(text, "ingot_ready") == 1
    assert value(text, "process_resident_memory_bytes") > 1e8


def test_the_same_metrics_stand_on_the_main_port(server):
    status, text, _ = server.get("/metrics")
    assert status == 200 and "vllm:generation_tokens_total" in text
