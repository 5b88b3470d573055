"""Wrong commands, options, streams and inputs of tensor models: exit code, one line, what to do.

Wrong model files are test_bad_input.py's; what a run must keep to is bad_input.py's.
"""

import os
import signal
import socket
import subprocess
import time

import numpy as np
import pytest

import bad_input
from test_bad_input import TINY, rewrite
from test_bad_input_random import RUN


@pytest.mark.parametrize("arguments, names", [
    ([], []),
    (["rnu"], ["unknown command 'rnu'", "'run'"]),
    (["frobnicate"], ["frobnicate", "--help"]),
    (["bench", "lm"], ["lm", "'llm'"]),
    (["bench"], ["ingot bench --help"]),
    (["bench", "llm"], ["MODEL", "ingot bench llm --help"]),
    (["eval", "perplexity", "m", "--nope", "-f", "x"], ["--nope", "ingot eval perplexity --help"]),
    (["run"], ["MODEL", "ingot run --help"]),
    (["run", "m", "--temprature", "1"], ["--temprature", "'--temperature'"]),
    (["run", "m", "extra"], ["extra"]),
    (["run", "m", "--kv-type", "x"], ["--kv-type", "'x'", "q8_0"]),
    (["run", "m", "--force-isa", "x"], ["--force-isa", "'x'", "avx2"]),
    (["run", "m", "--samplers", "x"], ["samplers", "'x'", "top_k"]),
    (["run", "m", "--temperature", "abc"], ["--temperature", "abc"]),
    (["run", "m", "--temperature", "-1"], ["temperature", "-1"]),
    (["run", "m", "--temperature", "nan"], ["temperature", "nan"]),
    (["run", "m", "-n", "-5"], ["-5"]),
    (["run", "m", "-n", "99999999999999999999"], ["99999999999999999999"]),
    (["run", "m", "--top-p", "7"], ["--top-p", "7", "0 to 1"]),
    (["run", "m", "--temperature", "1e999"], ["--temperature", "1e999"]),
    (["run", "m", "--temperature", ""], ["--temperature"]),
    (["run", "m", "--top-k", "3.7"], ["--top-k", "3.7", "integer"]),
    (["run", "m", "--top-k", "99999999999"], ["--top-k", "99999999999"]),
    (["run", "m", "--mirostat", "3"], ["--mirostat", "3", "0 to 2"]),
    (["run", "m", "--repeat-penalty", "0"], ["--repeat-penalty", "0"]),
    (["run", "m", "--seed", "99999999999999999999"], ["--seed", "99999999999999999999"]),
    (["run", "m", "--seed", "1", "--seed", "2"], ["--seed"]),
    (["run", "m", "--stop", ""], ["--stop", "empty"]),
    (["run", "m", "--logit-bias", "5"], ["--logit-bias", "TOKEN=BIAS"]),
    (["run", "m", "--logit-bias", "5=nan"], ["--logit-bias", "5=nan"]),
    (["run", "m", "--dry-sequence-breaker", ""], ["--dry-sequence-breaker"]),
    (["run", "m", "--threads", "1000000000"], ["--threads", "1000000000", "1024"]),
    (["run", "m", "--threads", "0x2"], ["--threads", "0x2"]),
    (["run", "m", "--ctx", "10000000000"], ["--ctx", "10000000000"]),
    (["run", "m", "--logprobs", "3"], ["--logprobs", "--json"]),
    (["run", "m", "--samplers", ";;"], ["--samplers", ";;"]),
    (["run", ""], ["MODEL", "missing"]),
    (["run", "hf:"], ["MODEL", "hf:org/repo"]),
    (["pull", "https://"], ["REF", "https://"]),
    (["bench", "llm", "m", "-p", "0", "-n", "0"], ["--n-prompt", "--n-gen"]),
    (["bench", "llm", "m", "-n", "-5"], ["--n-gen", "-5"]),
    (["bench", "llm", "m", "-b", "1,0"], ["--batch", "0"]),
    (["bench", "llm", "m", "-r", "0"], ["--repetitions", "0"]),
    (["infer", "m", "--rtol", "nan"], ["--rtol", "nan"]),
    (["infer", "m", "--seed", "-1"], ["--seed", "-1"]),
    (["inspect", "m", "--disable-pass", "fuse_conv"], ["--disable-pass", "--plan"]),
    (["inspect", "m", "--plan", "--disable-pass", "fuse_con"], ["--disable-pass", "fuse_con", "'fuse_conv'"]),
    (["inspect", "m", "--plan", "--dim", "x"], ["--dim", "'x'", "NAME=SIZE"]),
    (["inspect", "m", "--plan", "--dim", "x=-1"], ["--dim", "'x=-1'"]),
    (["inspect", "m", "--plan", "--tensors"], ["--tensors", "--plan"]),
    (["tokenize", "m", "-p", "a", "-f", "b"], ["--file"]),
    (["run", "m", "--ctx", "-1"], ["-1"]),
    (["run", "m", "-t", "100000"], ["100000"]),
    (["run", "m", "--seed", "-9"], ["-9"]),
    (["run", "m", "--logprobs", "99999"], ["99999", "1024"]),
    (["run", "m", "--force-tokens", "-1"], ["--force-tokens", "-1"]),
    (["run", "m", "-p", "a", "-f", "b"], ["--file", "--prompt"]),
    (["run", "m", "--force-tokens", "1,x"], ["x"]),
    (["run", "m\x1b[31m\nx", "--nope\x1b[31m\n"], ["--nope"]),
    (["infer", "m", "--repeat", "0"], ["0"]),
    (["tokenize", "m"], ["ingot tokenize --help"]),
])
def test_wrong_usage_is_exit_code_2_and_one_line(program, arguments, names):
    if not arguments:
        done = program.run()
        assert done.code == 2 and "Examples" in done.err
        return
    program.fails(*arguments, code=2, names=names)


def test_files_that_cannot_be_read(program, tmp_path):
    program.fails("run", tmp_path / "nothing.gguf", *RUN, names=["nothing.gguf", "does not exist"])
    (tmp_path / "empty.gguf").touch()
    program.fails("run", tmp_path / "empty.gguf", *RUN, names=["empty.gguf", "empty"])
    os.mkfifo(tmp_path / "pipe.gguf")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tmp_path / "socket.gguf"))
        for name in ("pipe.gguf", "socket.gguf"):
            for command in (["run", tmp_path / name, *RUN], ["inspect", tmp_path / name], ["tokenize", tmp_path / name, "-p", "x"],
                            ["infer", tmp_path / name], ["run", TINY, "-f", tmp_path / name]):
                program.fails(*command, names=[name])
    (tmp_path / "dir.onnx").mkdir()
    program.fails("infer", tmp_path / "dir.onnx", names=["dir.onnx"])
    program.fails("infer", tmp_path / "nothing.onnx", names=["nothing.onnx"])
    program.fails("tokenize", tmp_path / "nothing.json", "-p", "x", names=["nothing.json"])
    (tmp_path / "loop.gguf").symlink_to("loop.gguf")
    program.fails("run", tmp_path / "loop.gguf", *RUN, names=["loop.gguf"])


def test_values_that_only_the_model_can_judge_are_wrong_usage(program):
    for arguments, names in (
        (["--force-tokens", "5,272"], ["--force-tokens", "272", "271"]),
        (["--logit-bias", "272=1"], ["--logit-bias", "272=1", "271"]),
        (["--logit-bias", "some words=1"], ["--logit-bias", "not one"]),
    ):
        program.fails("run", TINY, *RUN, *arguments, code=2, names=names)
    program.fails("inspect", TINY, "--plan", "--dim", "nothing=3", code=2, names=["--dim", "nothing", "tokens"])


def test_a_wrong_thread_count_of_the_environment_is_told(program):
    program.fails("run", TINY, *RUN[:-2], code=2, names=["INGOT_THREADS", "many"], env={"INGOT_THREADS": "many"})


def limited(program, *command, fsize, **options):
    """Runs it where no file may grow past `fsize` bytes: a full disk, without one."""
    return subprocess.run(["prlimit", f"--fsize={fsize}", program.path, *map(str, command)], stdin=subprocess.DEVNULL,
                          text=True, timeout=60, **options)


def test_output_that_cannot_be_written(program, tmp_path):
    logits, out = tmp_path / "x.npy", tmp_path / "out"
    done = limited(program, "run", TINY, *RUN, "--dump-logits", logits, fsize=100, capture_output=True)
    assert done.returncode == 1 and done.stderr.startswith("error: [npy] cannot write") and str(logits) in done.stderr, done
    assert not list(tmp_path.iterdir())
    program.fails("run", TINY, *RUN, "--dump-logits", tmp_path / "no" / "x.npy", names=["x.npy"])
    for command in (["run", TINY, *RUN], ["run", TINY, *RUN, "--json"], ["inspect", TINY], ["inspect", TINY, "--plan"], ["--help"]):
        with out.open("w") as file:
            done = limited(program, *command, fsize=0, stdout=file, stderr=subprocess.PIPE)
        assert done.returncode == 1 and done.stderr == "error: cannot write the output: is the disk full?\n", (command, done)


def test_standard_streams_that_are_closed(program):
    for redirect, code in ((">&-", 1), ("<&-", 0), ("2>&-", 0), ("<&- 2>&-", 0)):
        done = subprocess.run(["bash", "-c", f"'{program.path}' run '{TINY}' -p hello -n 2 -t 1 {redirect}"], capture_output=True,
                              text=True, errors="replace", timeout=60)
        assert done.returncode == code and ("cannot write" in done.stderr) == bool(code), (redirect, done)


def test_a_reader_that_goes_away_is_no_message(program):
    for command in (f"inspect --json '{TINY}'", f"inspect --plan '{TINY}'", f"run '{TINY}' -p hello --ignore-eos -n 10000 --ctx 20000"):
        done = subprocess.run(["bash", "-c", f"'{program.path}' {command} | head -c 10; exit ${{PIPESTATUS[0]}}"],
                              capture_output=True, timeout=60)
        assert done.stderr == b"" and done.returncode in (0, 141), (command, done)


def test_ctrl_c_is_exit_code_130(program):
    for arguments in (["-p", "hello", "--ignore-eos", "--ctx", "1000000"], ["-p", "hello", "--ignore-eos", "--ctx", "1000000", "--json"], []):
        # env: a test that runs in the background of a script has SIGINT ignored, and would hand that on
        run = subprocess.Popen(["env", "--default-signal=INT", program.path, "run", TINY, "-t", "1", *arguments],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(1)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=30)
        assert run.returncode == 130 and err == b"", (arguments, run.returncode, err)


def test_a_kv_type_that_does_not_fit_the_heads(program):
    for kind in ("q8_0", "q4_0"):
        program.fails("run", TINY, *RUN, "--kv-type", kind, names=[f"--kv-type {kind}", "32", "16", "f16"])
    for kind in ("f32", "f16", "bf16"):
        assert program.run("run", TINY, *RUN, "--kv-type", kind).code == 0


def test_a_context_past_memory_is_refused(program, tmp_path):
    if not program.limited:
        pytest.skip("no memory limit")
    path = rewrite(tmp_path / "m.gguf", keys={"llama.context_length": 2**31 - 1})
    program.fails("run", path, *RUN, "--ctx", str(2**24), names=["memory", "MiB", "--ctx"])
    assert program.run("run", path, *RUN).code == 0  # what was not asked for is cut to what fits


def test_tensor_models_on_wrong_inputs(program, tmp_path):
    import bad_input_models

    path = tmp_path / "m.onnx"
    path.write_bytes(bad_input_models.vision().SerializeToString())
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 8, 8), np.float32))
    np.save(tmp_path / "flat.npy", np.zeros(3, np.float32))
    np.save(tmp_path / "int.npy", np.zeros((1, 3, 8, 8), np.int64))
    np.save(tmp_path / "two.npy", np.zeros((1, 2, 8, 8), np.float32))
    shape = ["--shape", "x=1x3x8x8"]
    for arguments, names in (
        ([], ["'x'", "--input"]),
        (["--input", "y=random"], ["'y'", "'x'"]),
        (["--input", "random"], ["--dim", "--shape"]),
        (["--input", "x"], ["'x'", "NAME=VALUE"]),
        (["--input", "x=random:1x3x100000x100000"], ["2^32"]),
        (["--input", "x=random:1x3x-8x8"], ["1x3x-8x8"]),
        (["--input", "x=random:1x3x8x"], ["1x3x8x"]),
        (["--input", "x=random:1x1x1x1x1x1x1x1x1"], ["8 dimensions"]),
        (["--input", "random", "--dim", "n=1", "--dim", "q=2"], ["--dim", "'q'", "'h'"]),
        (["--input", "random", "--dim", "n=many"], ["--dim", "many"]),
        (["--input", "random", "--shape", "q=1"], ["--shape", "'q'"]),
        (["--input", f"x={tmp_path / 'x.npy'}", *shape], ["--shape", "'x'"]),
        (["--input", "random", *shape, "--disable-pass", "magic"], ["magic", "fuse_conv"]),
        (["--input", "random", *shape, "--compare", f"z={tmp_path / 'x.npy'}"], ["--compare", "'y'"]),
        (["--input", "random", *shape, "--compare", tmp_path], ["--compare", "'y'"]),
    ):
        program.fails("infer", path, *arguments, code=2, names=names)
    (tmp_path / "bad.json").write_text("[1, 2")
    (tmp_path / "bad.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:200])
    for arguments, names in (
        (["--input", f"x={tmp_path / 'flat.npy'}"], ["'x'", "[3]"]),
        (["--input", f"x={tmp_path / 'int.npy'}"], ["'x'", "i64", "f32"]),
        (["--input", f"x={tmp_path / 'two.npy'}"], ["'x'", "2", "3"]),
        (["--input", f"x={tmp_path / 'no.npy'}"], ["no.npy"]),
        (["--input", f"x={tmp_path / 'no.json'}"], ["no.json"]),
        (["--input", f"x={tmp_path / 'bad.json'}"], ["'x'", "JSON"]),
        (["--input", f"x={tmp_path / 'bad.npy'}"], ["bad.npy"]),
        (["--input", "x=[[1,2],[3]]"], ["'x'", "JSON", "[2,2]"]),
        (["--input", "x=[[1],[2,3],[]]"], ["'x'", "JSON"]),
        (["--input", "x=[1,2"], ["'x'", "JSON"]),
        (["--input", "x=[\"a\"]"], ["'x'", "\"a\"", "number"]),
        (["--input", "x=" + "[" * 9 + "1" + "]" * 9], ["'x'", "8"]),
        (["--input", 'x={"shape":[1,3,8,8],"data":[1]}'], ["'x'", "1 JSON values", "[1,3,8,8]"]),
        (["--input", 'x={"shape":[1,3,-8,8],"data":[1]}'], ["'x'", "-8"]),
        (["--input", 'x={"data":[1]}'], ["'x'", "shape"]),
        (["--input", "x=random:1x3x30000x30000"], ["memory"]),
    ):
        if names == ["memory"] and not program.limited:
            continue
        program.fails("infer", path, *arguments, names=names)
    path.write_bytes(bad_input_models.text().SerializeToString())
    for value, names in (("[[1.5]]", ["1.5", "i64"]), ("[[1e300]]", ["1E300", "i64"]), ("[[99999999999999999999]]", ["i64"]), ("[[100]]", ["100"])):
        program.fails("infer", path, "--input", f"ids={value}", names=names)


def onnx(path, nodes, opset=17, version=8, domain="", constants=()):
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in "xy")
    graph = helper.make_graph(nodes, "g", [x], [y], list(constants))
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=version).SerializeToString())
    return path


def test_onnx_files_that_cannot_be_run(program, tmp_path):
    from onnx import TensorProto, helper

    path = tmp_path / "m.onnx"
    relu = [helper.make_node("Relu", ["x"], ["y"])]
    run = ("infer", path, "--input", "x=[1,2]")
    assert program.run("infer", onnx(path, relu), "--input", "x=[1,2]").code == 0
    onnx(path, [helper.make_node("Frobnicate", ["x"], ["y"], name="odd")])
    program.fails(*run, names=["m.onnx", "Frobnicate"])
    onnx(path, [helper.make_node("Magic", ["x"], ["y"], domain="com.nowhere")], domain="com.nowhere")
    program.fails(*run, names=["m.onnx", "Magic"])
    for opset in (0, 99):
        onnx(path, relu, opset=opset)
        program.fails(*run, names=["m.onnx", str(opset)])
    onnx(path, relu, version=99)
    program.fails(*run, names=["m.onnx", "99"])
    onnx(path, [helper.make_node("Relu", ["nowhere"], ["y"])])
    program.fails(*run, names=["m.onnx", "nowhere"])

    def external(location, offset="0", length="8"):
        tensor = TensorProto(name="w", data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
        for key, value in (("location", location), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=value)
        return onnx(path, [helper.make_node("Add", ["x", "w"], ["y"])], constants=[tensor])

    (tmp_path / "w.bin").write_bytes(bytes(8))
    external("w.bin")
    assert program.run(*run).code == 0
    for arguments, names in (
        (("../secret.bin",), ["../secret.bin"]),
        (("/etc/hostname",), ["/etc/hostname"]),
        (("sub/../../x",), ["sub/../../x"]),
        (("none.bin",), ["none.bin"]),
        (("w.bin", "4"), ["w.bin"]),
        (("w.bin", "-1"), ["-1"]),
        (("w.bin", "0", "9223372036854775807"), ["9223372036854775807"]),
        (("w.bin", "18446744073709551615", "8"), ["18446744073709551615"]),
        (("w.bin", "0", "4"), ["w"]),
    ):
        external(*arguments)
        program.fails(*run, names=["m.onnx", *names])


def test_a_tensor_program_on_a_language_model(program):
    program.fails("infer", TINY, "--input", "random", names=["model.gguf"])
