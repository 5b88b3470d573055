"""A drop-in subset of onnxruntime's Python interface: `import ingot as ort` runs most programs that infer on the CPU.

What is accepted and has no effect here is said so; what cannot be done raises ingot.Error with code UNIMPLEMENTED.
"""

from __future__ import annotations

import enum
import json
import os
import time
from typing import Any, Mapping, Sequence

import numpy as np

from . import _native
from ._arrays import ORT_NAMES, STRING, number_of, numpy_dtype, to_numpy, to_value
from ._errors import Error
from ._session import RunOptions as _RunOptions
from ._session import Session


class GraphOptimizationLevel(enum.IntEnum):
    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(enum.IntEnum):
    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


class SessionOptions:
    """intra_op_num_threads, graph_optimization_level and enable_profiling count; all else is kept and has no effect."""

    def __init__(self):
        self.intra_op_num_threads = 0
        self.inter_op_num_threads = 0
        self.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_ALL
        self.execution_mode = ExecutionMode.ORT_SEQUENTIAL
        self.enable_profiling = False
        self.profile_file_prefix = "onnxruntime_profile_"
        self.enable_cpu_mem_arena = self.enable_mem_pattern = self.enable_mem_reuse = True
        self.use_deterministic_compute = False
        self.log_severity_level, self.log_verbosity_level, self.logid = -1, 0, ""
        self.optimized_model_filepath = ""
        self._entries: dict[str, str] = {}

    def add_session_config_entry(self, key: str, value: str) -> None:
        self._entries[key] = value

    def get_session_config_entry(self, key: str) -> str:
        if key not in self._entries:
            raise Error(f"[python] session option '{key}' was not set", "NOT_FOUND")
        return self._entries[key]

    def register_custom_ops_library(self, path: str) -> None:
        raise Error(f"[python] custom operators ('{path}') are not supported", "UNIMPLEMENTED")


class RunOptions(_RunOptions):
    """`terminate = True` ends the runs that use it. ingot.RunOptions with onnxruntime's names."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._terminate = False
        self.log_severity_level, self.log_verbosity_level, self.logid = -1, 0, ""
        self.only_execute_path_to_fetches = False
        self._entries: dict[str, str] = {}

    @property
    def terminate(self) -> bool:
        return self._terminate

    @terminate.setter
    def terminate(self, on: bool) -> None:
        self._terminate = bool(on)
        self.cancel() if on else self.resume()

    def add_run_config_entry(self, key: str, value: str) -> None:
        self._entries[key] = value

    def get_run_config_entry(self, key: str) -> str:
        return self._entries[key]


class NodeArg:
    """An input or output: name, type ("tensor(float)"), shape (sizes, names, None)."""

    def __init__(self, name: str, number: int, dims: list | None):
        self.name = name
        self.type = f"tensor({ORT_NAMES[number]})" if number in ORT_NAMES else "seq"  # whose elements are not told
        self.shape = [] if dims is None else dims

    def __repr__(self) -> str:
        return f"NodeArg(name='{self.name}', type='{self.type}', shape={self.shape})"


class ModelMetadata:
    def __init__(self, entries: Mapping[str, str]):
        self.producer_name = entries.get("producer_name", "")
        self.graph_name = entries.get("graph_name", "")
        self.domain = entries.get("domain", "")
        self.description = entries.get("description", "")
        self.graph_description = entries.get("graph_description", "")
        self.version = int(entries.get("version", 0))
        self.custom_metadata_map = {k[7:]: v for k, v in entries.items() if k.startswith("custom.")}


def _check_cpu(device_type: str) -> None:
    if device_type != "cpu":
        raise Error(f"[python] device '{device_type}': there is only 'cpu'", "UNIMPLEMENTED")


class OrtValue:
    """A tensor in memory that Ingot or a numpy array owns."""

    def __init__(self, value: _native.Value):
        self._value = value

    @classmethod
    def ortvalue_from_numpy(cls, array: np.ndarray, device_type: str = "cpu", device_id: int = 0) -> "OrtValue":
        """Shares the array's memory if it is contiguous and may be written to."""
        _check_cpu(device_type)
        array = np.asarray(array)
        return cls(to_value(array if array.flags.writeable else array.copy()))

    @classmethod
    def ortvalue_from_numpy_with_onnx_type(cls, array: np.ndarray, onnx_element_type: int) -> "OrtValue":
        return cls(to_value(array, onnx_element_type))

    @classmethod
    def ortvalue_from_shape_and_type(cls, shape: Sequence[int], element_type: Any, device_type: str = "cpu",
                                     device_id: int = 0) -> "OrtValue":
        _check_cpu(device_type)
        number = element_type if isinstance(element_type, int) else number_of(element_type)
        return cls(_native.Value.create(number, list(shape)))

    def numpy(self) -> np.ndarray:
        return to_numpy(self._value)

    def update_inplace(self, array: np.ndarray) -> None:
        if self._value.dtype == STRING:
            raise Error("[python] strings cannot be updated in place: make a new OrtValue", "UNIMPLEMENTED")
        self.numpy()[...] = array

    def data_ptr(self) -> int:
        return self._value.address

    def shape(self) -> list[int]:
        return list(self._value.shape)

    def element_type(self) -> int:
        return self._value.dtype

    def data_type(self) -> str:
        return f"tensor({ORT_NAMES[self._value.dtype]})"

    def tensor_size_in_bytes(self) -> int:
        return self.numpy().nbytes

    def device_name(self) -> str:
        return "cpu"

    def has_value(self) -> bool:
        return True

    def is_tensor(self) -> bool:
        return True

    def is_tensor_sequence(self) -> bool:
        return False

    def is_sparse_tensor(self) -> bool:
        return False


class IOBinding:
    """Values bound to a session's inputs and outputs for run after run."""

    def __init__(self, session: "InferenceSession"):
        self._session = session
        self._inputs: dict[str, _native.Value] = {}
        self._targets: dict[str, _native.Value | None] = {}
        self._outputs: dict[str, _native.Value] = {}

    def bind_cpu_input(self, name: str, array: np.ndarray) -> None:
        self._inputs[name] = to_value(array, self._session._numbers.get(name))

    def bind_input(self, name: str, device_type: str, device_id: int, element_type: Any, shape: Sequence[int],
                   buffer_ptr: int) -> None:
        """The memory at buffer_ptr must live as long as the binding."""
        _check_cpu(device_type)
        self._inputs[name] = _value_at(element_type, shape, buffer_ptr)

    def bind_ortvalue_input(self, name: str, value: OrtValue) -> None:
        self._inputs[name] = value._value

    def bind_output(self, name: str, device_type: str = "cpu", device_id: int = 0, element_type: Any = None,
                    shape: Sequence[int] | None = None, buffer_ptr: int | None = None) -> None:
        _check_cpu(device_type)
        self._targets[name] = None if buffer_ptr is None else _value_at(element_type, shape or [], buffer_ptr)

    def bind_ortvalue_output(self, name: str, value: OrtValue) -> None:
        self._targets[name] = value._value

    def get_outputs(self) -> list[OrtValue]:
        return [OrtValue(self._outputs[name]) for name in self._targets if name in self._outputs]

    def get_outputs_as_ortvaluevector(self) -> list[OrtValue]:
        return self.get_outputs()

    def copy_outputs_to_cpu(self) -> list[np.ndarray]:
        return [to_numpy(self._outputs[name]) for name in self._targets if name in self._outputs]

    def clear_binding_inputs(self) -> None:
        self._inputs.clear()

    def clear_binding_outputs(self) -> None:
        self._targets.clear()
        self._outputs.clear()

    def synchronize_inputs(self) -> None:
        """Nothing to wait for."""

    def synchronize_outputs(self) -> None:
        """Nothing to wait for."""


def _value_at(element_type: Any, shape: Sequence[int], address: int) -> _native.Value:
    number = element_type if isinstance(element_type, int) else number_of(element_type)
    count = int(np.prod(shape, dtype=np.int64)) if len(shape) else 1
    return _native.Value.of_memory(address, count * numpy_dtype(number).itemsize, number, list(shape), ())


_PROFILED_RUNS_MAX = 10_000  # later ones are not in the profile


class InferenceSession:
    """onnxruntime.InferenceSession on Ingot. Providers are accepted; everything runs on the CPU."""

    def __init__(self, path_or_bytes: str | os.PathLike | bytes, sess_options: SessionOptions | None = None,
                 providers: Sequence | None = None, provider_options: Sequence | None = None, **kwargs):
        self._sess_options = sess_options or SessionOptions()
        none = self._sess_options.graph_optimization_level == GraphOptimizationLevel.ORT_DISABLE_ALL
        self._session = Session(path_or_bytes, threads=max(int(self._sess_options.intra_op_num_threads), 0),
                                disabled_passes=["all"] if none else [])
        self._numbers = self._session._input_numbers
        self._profile: list[tuple] = []
        self._begin = time.perf_counter_ns()

    def get_inputs(self) -> list[NodeArg]:
        return [NodeArg(*p) for p in self._session._inputs]

    def get_outputs(self) -> list[NodeArg]:
        return [NodeArg(*p) for p in self._session._outputs]

    def get_overridable_initializers(self) -> list[NodeArg]:
        return []

    def get_modelmeta(self) -> ModelMetadata:
        return ModelMetadata(self._session.metadata())

    def get_session_options(self) -> SessionOptions:
        return self._sess_options

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]

    def get_provider_options(self) -> dict[str, dict]:
        return {"CPUExecutionProvider": {}}

    def set_providers(self, providers: Sequence | None = None, provider_options: Sequence | None = None) -> None:
        """Everything runs on the CPU."""

    def enable_fallback(self) -> None:
        """Nothing to fall back from."""

    def disable_fallback(self) -> None:
        """Nothing to fall back from."""

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any],
            run_options: RunOptions | None = None) -> list[np.ndarray]:
        feed = {name: v._value if isinstance(v, OrtValue) else v for name, v in input_feed.items()}
        names = list(output_names) if output_names else self._session._output_names
        return [to_numpy(v) for v in self._run(names, feed, [None] * len(names), run_options)]

    def run_with_ort_values(self, output_names: Sequence[str] | None, input_dict_ort_values: Mapping[str, OrtValue],
                            run_options: RunOptions | None = None) -> list[OrtValue]:
        names = list(output_names) if output_names else self._session._output_names
        feed = {name: v._value for name, v in input_dict_ort_values.items()}
        return [OrtValue(v) for v in self._run(names, feed, [None] * len(names), run_options)]

    def io_binding(self) -> IOBinding:
        return IOBinding(self)

    def run_with_iobinding(self, iobinding: IOBinding, run_options: RunOptions | None = None) -> None:
        names = list(iobinding._targets)
        results = self._run(names, iobinding._inputs, [iobinding._targets[n] for n in names], run_options)
        iobinding._outputs = dict(zip(names, results))

    def _run(self, names: list[str], feed: Mapping[str, Any], targets: list, options: RunOptions | None) -> list:
        missing = [n for n in self._numbers if n not in feed]
        if missing:
            raise ValueError(f"Required inputs ({missing}) are missing from input feed ({list(feed)}).")
        if not self._sess_options.enable_profiling:
            return self._session._run(names, feed, targets, options)
        options = options or RunOptions()
        options._native.profile(True)
        begin = time.perf_counter_ns()
        results = self._session._run(names, feed, targets, options)
        if len(self._profile) < _PROFILED_RUNS_MAX:
            self._profile.append((begin, time.perf_counter_ns(), options.steps()))
        return results

    def get_profiling_start_time_ns(self) -> int:
        return self._begin

    def end_profiling(self) -> str:
        """Writes what the runs took as a Chrome trace, one entry a node, and tells the file's name."""
        if not self._sess_options.enable_profiling:
            return ""
        events = []
        for begin, end, steps in self._profile:
            at = (begin - self._begin) / 1000
            events.append(_event("model_run", "Session", at, (end - begin) / 1000, {}))
            for s in steps:
                events.append(_event(s.node, "Node", at, s.nanoseconds / 1000, {"op_name": s.op, "kernel": s.kernel}))
                at += s.nanoseconds / 1000
        path = f"{self._sess_options.profile_file_prefix}{time.strftime('%Y-%m-%d_%H-%M-%S')}.json"
        with open(path, "w", encoding="utf-8") as f:
            json.dump(events, f)
        return path


def _event(name: str, category: str, at_us: float, took_us: float, more: dict) -> dict:
    return {"cat": category, "pid": os.getpid(), "tid": 0, "ph": "X", "name": name, "ts": round(at_us, 3),
            "dur": round(took_us, 3), "args": more}


def get_available_providers() -> list[str]:
    return ["CPUExecutionProvider"]


def get_device() -> str:
    return "CPU"
