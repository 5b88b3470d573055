"""The programs in docs/howto/python.md and c-api.md, run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT, TINY_LLM

INCLUDE = ROOT / "include"


@pytest.fixture
def folder(tmp_path):
    """model.onnx, and model.gguf: the real one where INGOT_MODEL names it, else a tiny one."""
    (tmp_path / "model.onnx").symlink_to(ROOT / "tests/corpus/onnx_fuzz/test_softmax_axis_1.onnx")
    (tmp_path / "model.gguf").symlink_to(os.environ.get("INGOT_MODEL") or TINY_LLM / "model.gguf")
    return tmp_path


def blocks(name, language):
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs/howto" / name).read_text(), re.M | re.S)


def test_python_md_runs(folder):
    program = "\n".join(blocks("python.md", "python"))
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "(3, 4, 5)" in done.stdout and "Softmax" in done.stdout


@pytest.mark.parametrize("language,compiler,standard", [("c", "cc", "c99"), ("cpp", "c++", "c++17")])
def test_c_api_md_compiles_and_runs(folder, language, compiler, standard):
    if not os.environ.get("INGOT"):
        pytest.skip("INGOT is not set: where the library was built is not known")
    library = Path(os.environ["INGOT"]).parents[1] / "lib"
    (program,) = blocks("c-api.md", language)
    source = folder / f"program.{language}"
    source.write_text(program)
    subprocess.run([compiler, f"-std={standard}", "-Wall", "-Wextra", "-Werror", f"-I{INCLUDE}", str(source), "-o",
                    str(folder / "program"), f"-L{library}", "-lingot", f"-Wl,-rpath,{library}"], check=True)
    done = subprocess.run([str(folder / "program")], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    if language == "c":
        assert done.stdout == "0.25\n"
