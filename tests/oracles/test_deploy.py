"""The files of deploy/: Grafana's expressions against Prometheus' parser and a running server, the unit against systemd."""

import json
import re
import shutil
import subprocess

import pytest
from onnx import TensorProto, helper

import serving
from test_serve_kserve import model, tensor
from test_serve_metrics import scrape

DEPLOY = serving.ROOT / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))


def expressions(path):
    board = json.loads(path.read_text())
    found = [t["expr"] for p in board["panels"] for t in p["targets"]]
    assert found and len({p["id"] for p in board["panels"]}) == len(board["panels"])
    return found


@pytest.fixture(scope="module")
def series(gemma, tmp_path_factory):
    """name -> labels of every series of a server that answered with a language and with a tensor model."""
    folder = tmp_path_factory.mktemp("models")
    model(folder / "twice/1/model.onnx", [helper.make_node("Add", ["x", "x"], ["y"])],
          [tensor("x", TensorProto.FLOAT, [1, 2])], [tensor("y", TensorProto.FLOAT, [1, 2])])
    found = {}
    with serving.Server(f"gemma={gemma}", "--model-repository", folder, "--ctx", 512) as server:
        ask = {"model": "gemma", "prompt": "Once upon a time", "max_tokens": 4, "ignore_eos": True, "stream": True}
        assert server.post("/v1/completions", ask)[0] == 200
        x = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}
        assert server.post("/v2/models/twice/infer", {"inputs": [x]})[0] == 200
        for line in scrape(server).splitlines():
            if found_line := re.match(r"([a-z_:]+)(?:\{(.*)\})? ", line):
                found.setdefault(found_line[1], set()).update(re.findall(r'(\w+)="', found_line[2] or ""))
    return found


def test_there_are_dashboards():
    assert [p.stem for p in DASHBOARDS] == ["http", "language-models", "tensor-models"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda p: p.stem)
def test_prometheus_understands_the_expressions(path, tmp_path):
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.fail("promtool is missing; run tools/deps --test")
    rules = [{"record": f"r{i}", "expr": e.replace("$__rate_interval", "5m")} for i, e in enumerate(expressions(path))]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda p: p.stem)
def test_the_server_has_the_metrics_and_labels(path, series):
    for expression in expressions(path):
        names = re.findall(r"(?:vllm:|nv_|ingot_)[a-z_]+", expression)
        assert names, expression
        for name in names:
            assert name in series, f"{path.name}: no {name}"
            for group in re.findall(r"by \(([^)]*)\)", expression):
                assert {label.strip() for label in group.split(",")} <= series[name], (expression, series[name])


def test_systemd_accepts_the_unit(tmp_path):
    systemd = shutil.which("systemd-analyze")
    if not systemd:
        pytest.skip("no systemd-analyze on this machine")
    unit = (DEPLOY / "ingot.service").read_text().replace("/usr/local/bin/ingot", str(serving.BINARY))
    (tmp_path / "ingot.service").write_text(unit)
    done = subprocess.run([systemd, "verify", tmp_path / "ingot.service"], capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if "ingot.service" in line]
    assert said == [], done.stderr


def test_the_units_command_is_one_that_serve_knows(tmp_path):
    unit = (DEPLOY / "ingot.service").read_text()
    command = re.search(r"^ExecStart=/usr/local/bin/ingot (.*)\$INGOT_OPTIONS$", unit, re.M)[1].split()
    assert command[0] == "serve"
    empty = tmp_path / "models"
    empty.mkdir()
    options = ["--host", "127.0.0.1"]
    args = [str(empty) if a.startswith("/var/lib") else a for a in command[1:]]
    done = subprocess.run([str(serving.BINARY), "serve", *args, *options, "--http-port", "0", "--metrics-port", "0"],
                          capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and "nothing to serve" in done.stderr  # the empty folder is refused, no option
