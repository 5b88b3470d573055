"""Random templates against jinja2. The templates of real models: chat_templates.py, which needs them unpacked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def test_random_templates_render_as_jinja2_renders_them():
    pytest.importorskip("jinja2")
    binary = Path(os.environ.get("INGOT", HERE.parents[1] / "build/release/bin/ingot")).with_name("jinja_render")
    if not binary.exists():
        pytest.fail(f"{binary} is not built; cmake --preset release && cmake --build --preset release")
    command = [sys.executable, str(HERE / "jinja_differential.py"), str(binary), "3000", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
