#!/usr/bin/env python3
"""ONNX's own backend tests against Ingot.

Writes every case of the installed `onnx` package whose operators are built (from 1.23 on the node cases are
generated in Python) to a folder, runs them all in one process of the test program `onnx_cases`, and prints the
failures, a table of operators with their passed and failed cases, and the operators that are not built yet.

    onnx_backend.py --runner build/release/bin/onnx_cases [--kinds node simple ...] [--filter TEXT] [--ref]

Exit code 1 if a case of built operators fails. Tolerances are each case's own (1e-3 relative, 1e-7 absolute).
"""
import argparse
import collections
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

# Cases whose expected values are one draw of an unseeded generator: the ONNX project says of them that implementations
# may give others even with a seed. Their types and shapes are compared.
RANDOM = ("test_bernoulli",)
SEQUENCE_ELEMENTS = {"tensor": 1, "sparse_tensor": 2, "sequence": 3, "map": 4, "optional": 5}
KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")


def operators(model):
    for nodes in [model.graph.node] + [f.node for f in model.functions]:
        yield from operators_of(nodes)


def operators_of(nodes):
    for node in nodes:
        yield (node.domain + "." if node.domain not in ("", "ai.onnx") else "") + node.op_type
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from operators_of(attribute.g.node)


def tensor_proto(value, elem, name):
    if isinstance(value, onnx.TensorProto):
        return value
    proto = numpy_helper.from_array(np.asarray(value), name)
    if proto.data_type != elem and elem:
        proto.data_type = elem
    return proto


def value_proto(value, of_type, name):
    """The value as the message that belongs to its declared type: sequences and optionals are lists."""
    kind = of_type.WhichOneof("value")
    if kind == "tensor_type":
        return tensor_proto(value, of_type.tensor_type.elem_type, name)
    inner = (of_type.sequence_type if kind == "sequence_type" else of_type.optional_type).elem_type
    what = inner.WhichOneof("value").removesuffix("_type")
    if kind == "sequence_type":
        proto = onnx.SequenceProto(name=name, elem_type=SEQUENCE_ELEMENTS[what])
        getattr(proto, what + "_values").extend(value_proto(v, inner, name) for v in value)
        return proto
    if kind != "optional_type":
        raise ValueError(f"{name}: a {kind}")
    proto = onnx.OptionalProto(name=name, elem_type=SEQUENCE_ELEMENTS[what] if value is not None else 0)
    if value is not None:
        getattr(proto, what + "_value").CopyFrom(value_proto(value, inner, name))
    return proto


def write_light_case(case, folder):
    """A real network whose weights the model makes itself, on the input that onnx's own runner would make."""
    path = pathlib.Path(onnx.__file__).parents[1] / case.url
    model, data = onnx.load(str(path)), folder / "test_data_set_0"
    data.mkdir(parents=True)
    shutil.copy(path, folder / "model.onnx")
    weights = {i.name for i in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in weights]
    for j, port in enumerate(inputs):
        value = Runner.generate_dummy_data(port, seed=0, name=case.model_name, random=False)
        (data / f"input_{j}.pb").write_bytes(numpy_helper.from_array(value, port.name).SerializeToString())
    for j in range(len(model.graph.output)):
        shutil.copy(path.with_name(f"{path.stem}_output_{j}.pb"), data / f"output_{j}.pb")
    return model


def write_case(case, folder):
    """The case as model.onnx and test_data_set_<i>; its model."""
    if case.model_dir:
        shutil.copytree(case.model_dir, folder)
        return onnx.load(str(folder / "model.onnx"))
    if case.url:
        return write_light_case(case, folder)
    folder.mkdir(parents=True)
    onnx.save(case.model, str(folder / "model.onnx"))
    for i, (inputs, outputs) in enumerate(case.data_sets or []):
        data = folder / f"test_data_set_{i}"
        data.mkdir()
        for kind, values, infos in (("input", inputs, case.model.graph.input), ("output", outputs, case.model.graph.output)):
            for j, value in enumerate(values):
                proto = value_proto(value, infos[j].type, infos[j].name)
                (data / f"{kind}_{j}.pb").write_bytes(proto.SerializeToString())
    return case.model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", required=True)
    parser.add_argument("--kinds", nargs="*", default=KINDS)
    parser.add_argument("--filter", default="")
    parser.add_argument("--ref", action="store_true", help="node by node on the reference backend")
    parser.add_argument("--no-passes", action="store_true", help="without the optimizer")
    parser.add_argument("--keep", help="write the cases here and keep them")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    root = pathlib.Path(args.keep or tempfile.mkdtemp(prefix="onnx_cases_"))
    lines, cases = [], {}
    for kind in args.kinds:
        for case in load_model_tests(kind=kind):
            if args.filter not in case.name:
                continue
            folder = root / kind / case.name
            shutil.rmtree(folder, ignore_errors=True)
            model = write_case(case, folder)
            cases[str(folder)] = (case, set(operators(model)))
            atol = 1e30 if case.name.startswith(RANDOM) else case.atol
            lines.append(f"{folder} {case.rtol} {atol}\n")
    (root / "list.txt").write_text("".join(lines))
    command = [args.runner, str(root / "list.txt")] + ["--ref"] * args.ref + ["--no-passes"] * args.no_passes
    result = subprocess.run(command, capture_output=True, text=True)
    passed, failed = collections.Counter(), collections.Counter()
    skipped, counts, seen = collections.Counter(), collections.Counter(), set()
    for line in result.stdout.splitlines():
        verdict, rest = line.split(" ", 1)
        folder, _, why = rest.partition(": ")
        if verdict not in ("PASS", "FAIL", "SKIP") or folder not in cases:
            continue
        case, ops = cases[folder]
        seen.add(folder)
        counts[verdict] += 1
        if verdict == "FAIL":
            print(f"FAIL {case.name}: {why}")
        if verdict == "SKIP":
            skipped[why.partition("not built: ")[2] and ", ".join(
                part.split(" (")[0] for part in why.partition("not built: ")[2].split("; ")) or why] += 1
        for op in ops:
            (passed if verdict == "PASS" else failed if verdict == "FAIL" else collections.Counter())[op] += 1
    for folder in cases.keys() - seen:
        print(f"LOST {cases[folder][0].name}: the runner ended before it ({result.returncode})")
    print("\noperator                     passed failed")
    for op in sorted(passed.keys() | failed.keys()):
        print(f"{op:28} {passed[op]:6} {failed[op]:6}")
    print("\nnot built (cases):")
    for why, n in sorted(skipped.items(), key=lambda item: -item[1]):
        print(f"{n:5} {why}")
    print(f"\n{counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} of operators not built, "
          f"{len(cases) - len(seen)} lost; onnx {onnx.__version__}")
    if not args.keep:
        shutil.rmtree(root)
    sys.exit(1 if counts["FAIL"] or counts["SKIP"] or not counts["PASS"] or len(seen) < len(cases) else 0)


if __name__ == "__main__":
    main()
