"""Tensor models: ingot.Session."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

import numpy as np

from . import _native
from ._arrays import numpy_dtype, to_numpy, to_value
from ._errors import Error


@dataclass(frozen=True)
class Port:
    """An input or output of a model. A dimension is a size, a name, or None; shape is None if the rank is unknown."""

    name: str
    dtype: np.dtype
    shape: tuple | None


@dataclass(frozen=True)
class Step:
    """One node of a profiled run."""

    node: str
    op: str
    kernel: str
    nanoseconds: int


class RunOptions:
    """What holds for the runs that get it. Any thread may call cancel() while another one runs.

    timeout: seconds, after which a run ends with code DEADLINE_EXCEEDED. calling_thread_only: the run uses no other
    threads, so that runs of several Python threads go on side by side. profile: steps() tells what each node took.
    """

    def __init__(self, timeout: float | None = None, calling_thread_only: bool = False, profile: bool = False):
        self._native = _native.RunOptions()
        if timeout is not None:
            self._native.timeout_ms(max(timeout * 1000, 1e-6))
        self._native.calling_thread_only(calling_thread_only)
        self._native.profile(profile)

    def cancel(self) -> None:
        """Ends these runs, and every later one until resume(), with code CANCELLED."""
        self._native.cancel()

    def resume(self) -> None:
        self._native.resume()

    def steps(self) -> list[Step]:
        """Of the last run, if `profile` was set."""
        return [Step(*s) for s in self._native.steps()]


_plain_options = threading.local()


def _options(options: RunOptions | None) -> _native.RunOptions:
    if options is not None:
        return options._native
    if not hasattr(_plain_options, "native"):
        _plain_options.native = _native.RunOptions()
    return _plain_options.native


class Session:
    """A tensor model (.onnx, or an engine file .ingot), from a path or from bytes.

    threads: 0 means as many as the process may use. disabled_passes: optimizer passes by name, or ["all"].
    backends: kernels, best first; ["ref"] is slow and obviously right. Any number of threads may run it at once.
    """

    def __init__(self, model: str | os.PathLike | bytes, *, threads: int = 0, disabled_passes: Sequence[str] = (),
                 backends: Sequence[str] = ()):
        settings = {"threads": str(threads)}
        if disabled_passes:
            settings["disabled_passes"] = ",".join(disabled_passes)
        if backends:
            settings["backends"] = ",".join(backends)
        if isinstance(model, (bytes, bytearray, memoryview)):
            self._native = _native.Session.load_bytes(bytes(model), settings)
        else:
            self._native = _native.Session.load(os.fspath(model), settings)
        self._inputs = self._native.inputs()
        self._outputs = self._native.outputs()
        self._input_numbers = {name: number for name, number, _ in self._inputs}
        self._output_names = [name for name, _, _ in self._outputs]
        self._output_numbers = {name: number for name, number, _ in self._outputs}

    def get_inputs(self) -> list[Port]:
        return [_port(*p) for p in self._inputs]

    def get_outputs(self) -> list[Port]:
        return [_port(*p) for p in self._outputs]

    def metadata(self) -> dict[str, str]:
        """producer_name, graph_name, version, …; the model's own entries as "custom.KEY"."""
        return dict(self._native.metadata())

    def run(self, output_names: Sequence[str] | None, inputs: Mapping[str, Any],
            options: RunOptions | None = None) -> list[np.ndarray]:
        """The named outputs (None: all) as arrays. Contiguous inputs are used in place; nothing is copied."""
        names = self._output_names if output_names is None else list(output_names)
        return [to_numpy(v) for v in self._run(names, inputs, [None] * len(names), options)]

    def run_into(self, outputs: Mapping[str, np.ndarray], inputs: Mapping[str, Any],
                 options: RunOptions | None = None) -> None:
        """Computes the named outputs in the memory of the given arrays, whose type and shape must be the result's."""
        values = [to_value(a, self._output_numbers.get(name), writable=True) for name, a in outputs.items()]
        for name, array in outputs.items():
            if np.asarray(array).dtype.kind in "OUST":
                raise Error(f"[python] output '{name}': strings cannot be written into an array", "INVALID_ARGUMENT")
        self._run(list(outputs), inputs, values, options)

    def _run(self, names: list[str], inputs: Mapping[str, Any], values: list, options: RunOptions | None) -> list:
        numbers = self._input_numbers
        return self._native.run(list(inputs), [to_value(a, numbers.get(name)) for name, a in inputs.items()], names,
                                values, _options(options))


def _port(name: str, number: int, dims: list | None) -> Port:
    try:
        dtype = numpy_dtype(number)
    except Error:
        dtype = np.dtype(np.uint8 if number else object)  # several elements in a byte; or a sequence
    return Port(name, dtype, None if dims is None else tuple(dims))


__all__ = ["Port", "RunOptions", "Session", "Step"]
