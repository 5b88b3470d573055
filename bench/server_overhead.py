#!/usr/bin/env python3
"""What `ingot serve` itself takes: an identity model beside a bare Beast and a bare gRPC echo server, one table.

    bench/server_overhead.py                       # everything, about 3 minutes, on a machine that does nothing else
    bench/server_overhead.py --only grpc --size 16777216 --seconds 10 --json

Sizes: 4 bytes (what each request costs) and 16 MiB (what each byte costs). Load: `ingot bench serve --api infer`, closed
loop at concurrency 1 and 16, over HTTP and gRPC, the same client for both servers, alternating (A B A B ...), the best of
--rounds by requests a second. All share the machine's cores: the client's own work dilutes the ratio alike for both.
The echo servers are compiled here with the compiler and the flags of a release build (build/bench/).
Goal: `ratio` (ours / echo, requests a second) of at least 0.7.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shlex
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/release"
OUT = ROOT / "build/bench"
INGOT = BUILD / "bin/ingot"


def build():
    OUT.mkdir(parents=True, exist_ok=True)
    proto = next((p for p in BUILD.rglob("inference.grpc.pb.h")), None)
    if proto is None:
        sys.exit("build first: cmake --preset release && cmake --build --preset release")
    generated = proto.parents[2]
    libraries = [str(p) for p in (*BUILD.rglob("libingot_inference_proto.a"), *BUILD.rglob("libingot_model_config_proto.a"))]
    grpc = shlex.split(subprocess.run(["pkg-config", "--libs", "grpc++", "protobuf"], check=True, capture_output=True,
                                      text=True).stdout)
    includes = [f"-I{p}" for p in {generated, *(q.parents[2] for q in BUILD.rglob("model_config.pb.h"))}]
    for name, extra in (("echo_http", ["-pthread"]), ("echo_grpc", [*includes, *libraries, *grpc, "-pthread"])):
        source, target = ROOT / f"bench/{name}.cc", OUT / name
        if target.exists() and target.stat().st_mtime > source.stat().st_mtime:
            continue
        print(f"compiling {name} ...", file=sys.stderr)
        subprocess.run(["g++", "-std=c++23", "-O2", "-DNDEBUG", "-fcoroutines", str(source), "-o", str(target), *extra],
                       check=True)


def identity(folder):
    """y = x over any number of floats, written without the onnx package being needed at run time of the servers."""
    import onnx
    from onnx import TensorProto, helper
    tensor = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n"]) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", tensor[:1], tensor[1:])
    path = pathlib.Path(folder) / "identity.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def running(command, ready):
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout:
            if line.startswith(ready):
                break
        else:
            sys.exit(f"{command[0]} did not start")
        yield process
    finally:
        process.terminate()
        process.wait()


def measure(protocol, port, size, concurrency, requests):
    scheme = "grpc" if protocol == "grpc" else "http"
    command = [INGOT, "bench", "serve", "--api", "infer", "--model", "identity", "--url", f"{scheme}://127.0.0.1:{port}",
               "--protocol", "kserve-grpc" if protocol == "grpc" else "http", "--batch", size // 4, "-c", concurrency,
               "-n", requests, "--warmup", min(50, requests), "--json"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
    out = json.loads(done.stdout)
    if out["failed"]:
        sys.exit(f"{out['failed']} requests failed: {out}")
    return {"requests": out["succeeded"], "requests_per_s": out["succeeded"] / out["seconds"],
            "p50_ms": out["e2e_ms"]["p50"], "p99_ms": out["e2e_ms"]["p99"]}


def compare(protocol, size, concurrency, options, ports):
    best = {}
    requests = {who: max(20, concurrency * 2) for who in ports}
    for who in ports:  # how many fill the time
        rate = measure(protocol, ports[who], size, concurrency, requests[who])["requests_per_s"]
        requests[who] = max(20, int(rate * options.seconds))
    for _ in range(options.rounds):
        for who in ports:
            got = measure(protocol, ports[who], size, concurrency, requests[who])
            if who not in best or got["requests_per_s"] > best[who]["requests_per_s"]:
                best[who] = got
    return {"protocol": protocol, "bytes": size, "concurrency": concurrency, **best,
            "ratio": best["ingot"]["requests_per_s"] / best["echo"]["requests_per_s"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["http", "grpc"])
    parser.add_argument("--size", type=int, action="append", help="bytes of the tensor (repeatable)")
    parser.add_argument("--concurrency", type=int, action="append")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one object a line")
    options = parser.parse_args()
    build()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        model = identity(folder)
        http, grpc, echo_http, echo_grpc = (free_port() for _ in range(4))
        metadata = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}]})
        ours = [INGOT, "serve", model, "--http-port", http, "--grpc-port", grpc, "--no-metrics", "--access-log", "none"]
        with running(ours, "ready:"), running([OUT / "echo_http", echo_http, 2, metadata], "ready"), \
                running([OUT / "echo_grpc", echo_grpc, 0], "ready"):
            if not options.json:
                print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}\n\n"
                      "| protocol | bytes | concurrency | ingot req/s | p50 ms | p99 ms | echo req/s | p50 ms | p99 ms | ratio |\n"
                      "|---|---|---|---|---|---|---|---|---|---|")
            for protocol, ports in (("http", {"ingot": http, "echo": echo_http}), ("grpc", {"ingot": grpc, "echo": echo_grpc})):
                if options.only not in (None, protocol):
                    continue
                for size in options.size or [4, 16 << 20]:
                    for concurrency in options.concurrency or [1, 16]:
                        row = compare(protocol, size, concurrency, options, ports)
                        rows.append(row)
                        if options.json:
                            print(json.dumps(row), flush=True)
                            continue
                        cells = [f"{row[w][k]:.{1 if k == 'requests_per_s' else 2}f}" for w in ("ingot", "echo")
                                 for k in ("requests_per_s", "p50_ms", "p99_ms")]
                        print(f"| {protocol} | {size} | {concurrency} | {' | '.join(cells)} | {row['ratio']:.2f} |", flush=True)
    return 0 if all(row["ratio"] >= 0.7 for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
