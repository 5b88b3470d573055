"""Ingot: inference of tensor models (ONNX) and language models (GGUF, Hugging Face) on the CPU.

    session = ingot.Session("model.onnx")
    outputs = session.run(None, {"x": array})

    llm = ingot.LLM("model.gguf")
    print(llm.generate("Once upon a time", max_tokens=50))

InferenceSession and its neighbours are a subset of onnxruntime's interface with the same names.
"""

from . import _native
from ._errors import Error
from ._inference_session import (ExecutionMode, GraphOptimizationLevel, InferenceSession, IOBinding, ModelMetadata,
                                 NodeArg, OrtValue, RunOptions, SessionOptions, get_available_providers, get_device)
from ._llm import LLM, Completion, Stream, Usage
from ._session import Port, Session, Step

__version__ = _native.version()


def force_isa(name: str) -> None:
    """Models loaded from now on use kernels of this instruction set ("avx2", "avx512", …); for tests."""
    _native.force_isa(name)


__all__ = [
    "Completion", "Error", "ExecutionMode", "GraphOptimizationLevel", "InferenceSession", "IOBinding", "LLM",
    "ModelMetadata", "NodeArg", "OrtValue", "Port", "RunOptions", "Session", "SessionOptions", "Step", "Stream",
    "Usage", "force_isa", "get_available_providers", "get_device",
]
