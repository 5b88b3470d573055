"""What the oracle tests share: the built binary, the model, and --live."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import bad_input

ROOT = Path(__file__).parents[2]
MODEL = "gemma-3-270m-q4_k_m.gguf"


def pytest_addoption(parser):
    parser.addoption("--live", action="store_true", help="run the oracle program anew where a stored result would do")


@pytest.fixture(scope="session")
def program():
    """The built binary, each run checked for crashes, hangs and memory."""
    return bad_input.Program()


@pytest.fixture(scope="session")
def live(request):
    return request.config.getoption("--live")


@pytest.fixture(scope="session")
def ingot():
    """Runs build/release/bin/ingot (or $INGOT) with arguments; returns its standard output, or fails with its error."""
    binary = Path(os.environ.get("INGOT") or ROOT / "build/release/bin/ingot")
    if not binary.exists():
        pytest.fail(f"{binary} is not built; cmake --preset release && cmake --build --preset release")

    def run(*args, timeout_s=600):
        command = [str(binary), *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout_s)
        if done.returncode != 0:
            pytest.fail(f"{' '.join(command)[:300]}: exit code {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    return run


@pytest.fixture(scope="session")
def gemma():
    """The path of the default model, as tools/fetch_model left it."""
    cache = Path(os.environ.get("INGOT_CACHE") or Path.home() / ".cache" / "ingot")
    path = Path(os.environ.get("INGOT_MODEL") or cache / MODEL)
    if not path.exists():
        pytest.fail(f"{path} is missing; run tools/fetch_model")
    return path


