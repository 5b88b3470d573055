"""config.pbtxt, versions and control modes, through Triton's clients."""

import json
import shutil
import subprocess
import time

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.http as triton_http
from onnx import TensorProto, helper
from tritonclient.utils import InferenceServerException

import serving
from test_serve_kserve import model, tensor

CONFIG = """
name: "add"
platform: "onnxruntime_onnx"
max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ 4 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]
version_policy { all { } }
dynamic_batching {
  preferred_batch_size: [ 4, 8 ]
  max_queue_delay_microseconds: 2000
  priority_levels: 2
  default_priority_level: 2
}
instance_group [ { count: 2 kind: KIND_CPU } ]
parameters { key: "owner" value { string_value: "me" } }
"""


def add_model(root, name="add", versions=(1, 2, 5), config=CONFIG):
    """y = x + VERSION"""
    for version in versions:
        by = helper.make_tensor("by", TensorProto.FLOAT, [1], [float(version)])
        model(root / name / str(version) / "model.onnx", [helper.make_node("Add", ["x", "by"], ["y"])],
              [tensor("x", TensorProto.FLOAT, ["batch", 4])], [tensor("y", TensorProto.FLOAT, ["batch", 4])], [by])
    if config:
        (root / name / "config.pbtxt").write_text(config)


def ask(client, version="", rows=1, name="add", **more):
    x = np.zeros((rows, 4), np.float32)
    given = triton.InferInput("x", list(x.shape), "FP32")
    given.set_data_from_numpy(x)
    return client.infer(name, [given], model_version=version, **more).as_numpy("y")[0, 0]


@pytest.fixture
def root(tmp_path):
    add_model(tmp_path)
    return tmp_path


def wait_until(condition, timeout_s=30):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_versions_are_served_side_by_side_as_the_policy_says(root):
    with serving.Server("--model-repository", root, *serving.LOADABLE) as s, triton.InferenceServerClient(s.grpc) as c:
        assert list(c.get_model_metadata("add").versions) == ["1", "2", "5"]
        assert list(c.get_model_metadata("add", "2").versions) == ["2"]
        assert [ask(c, v) for v in ("", "1", "2", "5")] == [5, 1, 2, 5]
        assert s.get("/v2/models/add/versions/2")[1]["versions"] == ["2"]
        with pytest.raises(InferenceServerException, match="version 3 is not found"):
            ask(c, "3")
        c.load_model("add", config=json.dumps({"max_batch_size": 8, "version_policy": {"latest": {"num_versions": 2}}}))
        assert list(c.get_model_metadata("add").versions) == ["2", "5"]
        states = {m.version: m.state for m in c.get_model_repository_index().models}
        assert states == {"2": "READY", "5": "READY"}
        add_model(root, versions=[7], config=CONFIG.replace("all { }", "specific { versions: [ 1, 7 ] }"))
        c.load_model("add")
        assert [ask(c, v) for v in ("", "1", "7")] == [7, 1, 7]


def test_the_configuration_is_what_was_given_and_what_follows(root):
    with serving.Server("--model-repository", root, *serving.LOADABLE) as s, triton.InferenceServerClient(s.grpc) as c:
        config = c.get_model_config("add").config
        assert config.max_batch_size == 8 and list(config.dynamic_batching.preferred_batch_size) == [4, 8]
        assert config.dynamic_batching.max_queue_delay_microseconds == 2000
        assert config.instance_group[0].count == 2 and config.parameters["owner"].string_value == "me"
        assert config.version_policy.HasField("all") and list(config.input[0].dims) == [4]
        over_http = s.get("/v2/models/add/config")[1]
        assert over_http["dynamic_batching"]["priority_levels"] == 2
        assert over_http["dynamic_batching"]["max_queue_delay_microseconds"] == 2000
        with pytest.raises(InferenceServerException, match="batch-size must be from 1 to 8"):
            ask(c, rows=9)
        assert ask(c, priority=1) == 5
        with pytest.raises(InferenceServerException, match="priority 3 is out of range"):
            ask(c, priority=3)


@pytest.mark.parametrize("change, words", [
    (("max_batch_size: 8", "max_bach_size: 8"), "line 4"), (("dims: [ 4 ]", "dims: [ 5 ]"), "shape [-1,4]"),
    (("TYPE_FP32", "TYPE_INT8"), "'data_type'"), (('name: "x"', 'name: "z"'), "'z', allowed inputs are: x"),
    (('name: "add"', 'name: "sub"'), "'name' is 'sub'"), (("[ 4, 8 ]", "[ 4, 9 ]"), "holds 9"),
    (("KIND_CPU", "KIND_GPU"), "KIND_GPU"), (("dynamic_batching {", "sequence_batching { } dynamic_batching {"), "oneof")])
def test_what_is_wrong_with_a_configuration_ends_the_start_with_its_field(root, change, words):
    (root / "add/config.pbtxt").write_text(CONFIG.replace(*change))
    done = subprocess.run([serving.BINARY, "serve", "--model-repository", root, "--http-port", "0", "--grpc-port", "0",
                           "--no-metrics"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and words in done.stderr, done.stderr


def test_an_override_that_is_wrong_leaves_the_model_answering(root):
    with serving.Server("--model-repository", root, *serving.LOADABLE) as s, triton_http.InferenceServerClient(s.url[7:]) as c:
        for config in ('{"max_batch_size": -1}', "nonsense", '{"sequence_batching": {}}'):
            with pytest.raises(InferenceServerException, match="load failed|config"):
                c.load_model("add", config=config)
        assert c.is_model_ready("add") and c.is_server_ready()


def test_a_model_is_ready_only_when_warm(root):
    warm = """model_warmup { name: "zeros" batch_size: 4 count: 3
      inputs { key: "x" value { data_type: TYPE_FP32 dims: 4 zero_data: true } } }"""
    (root / "add/config.pbtxt").write_text(CONFIG.replace("all { }", "latest { num_versions: 1 }") + warm)
    with serving.Server("--model-repository", root, *serving.LOADABLE) as s, triton.InferenceServerClient(s.grpc) as c:
        assert c.get_inference_statistics("add").model_stats[0].inference_count == 12
        with pytest.raises(InferenceServerException, match="model_warmup 'zeros'.*shape"):
            c.load_model("add", config=json.dumps({"max_batch_size": 8, "model_warmup": [{
                "name": "zeros", "inputs": {"x": {"data_type": "TYPE_FP32", "dims": [5], "zero_data": True}}}]}))


def test_mode_explicit_loads_only_what_is_asked_for(root):
    add_model(root, "other", [1], None)
    with serving.Server("--model-repository", root, "--model-control-mode", "explicit", "--load-model", "other") as s, \
            triton.InferenceServerClient(s.grpc) as c:
        assert c.is_model_ready("other") and c.is_server_ready()
        with pytest.raises(InferenceServerException):
            c.is_model_ready("add")
        c.load_model("add")
        assert ask(c) == 5
        add_model(root, "late", [3], None)
        c.load_model("late")
        assert ask(c, name="late") == 3
        c.unload_model("late")
        with pytest.raises(InferenceServerException):
            ask(c, name="late")


def test_mode_poll_follows_the_folder_and_mode_none_does_not(root):
    for mode in ("poll", "none"):
        with serving.Server("--model-repository", root, "--model-control-mode", mode, "--repository-poll-secs", 1) as s, \
                triton.InferenceServerClient(s.grpc) as c:
            with pytest.raises(InferenceServerException, match="not allowed") as e:
                c.load_model("add")
            assert e.value.status() == "StatusCode.UNAVAILABLE"
            with pytest.raises(InferenceServerException, match="not allowed"):
                c.unload_model("add")
            if mode == "none":
                continue
            add_model(root, "fresh", [4], None)
            wait_until(lambda: s.get("/v2/models/fresh/ready")[0] == 200)
            assert ask(c, name="fresh") == 4
            add_model(root, "fresh", [9], None)
            wait_until(lambda: ask(c, name="fresh") == 9)
            shutil.rmtree(root / "fresh")
            wait_until(lambda: s.get("/v2/models/fresh/ready")[0] == 404)
            assert ask(c) == 5
