"""System shared memory through Triton's own client and its shared memory library, over HTTP and gRPC."""

import contextlib
import mmap
import os
import threading

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException, serialize_byte_tensor

import serving
from test_serve_kserve import repository  # noqa: F401  (the same models)


@pytest.fixture(scope="module")
def server(repository):  # noqa: F811
    with serving.Server("--model-repository", repository, "--shared-memory") as s:
        yield s
        assert s.alive()
        assert s.stop() == 0


@pytest.fixture(params=["http", "grpc"])
def face(request, server):
    """The client's module and a client of it; all regions are gone before and after."""
    module = triton_http if request.param == "http" else triton_grpc
    with module.InferenceServerClient(server.url[7:] if request.param == "http" else server.grpc) as client:
        client.unregister_system_shared_memory()
        yield module, client
        client.unregister_system_shared_memory()


def regions(client):
    status = client.get_system_shared_memory_status()
    if isinstance(status, list):
        return {r["name"]: (r["key"], r["offset"], r["byte_size"]) for r in status}
    return {name: (r.key, r.offset, r.byte_size) for name, r in status.regions.items()}


@contextlib.contextmanager
def region(client, name, byte_size, register=True):
    key = f"/ingot_{os.getpid()}_{name}"
    handle = shm.create_shared_memory_region(name, key, byte_size)
    try:
        if register:
            client.register_system_shared_memory(name, key, byte_size)
        yield handle
    finally:
        shm.destroy_shared_memory_region(handle)


def placed(module, name, shape, datatype, where, byte_size, offset=0):
    t = module.InferInput(name, list(shape), datatype)
    t.set_shared_memory(where, byte_size, offset)
    return t


def wanted(module, name, where, byte_size, offset=0):
    t = module.InferRequestedOutput(name)
    t.set_shared_memory(where, byte_size, offset)
    return t


def test_inputs_and_outputs_lie_in_regions(face):
    module, client = face
    a, b = np.arange(16, dtype=np.int32).reshape(1, 16), np.full((1, 16), 3, np.int32)
    with region(client, "in", 128) as given, region(client, "out", 128) as taken:
        assert set(regions(client)) == {"in", "out"} and regions(client)["in"][1:] == (0, 128)
        shm.set_shared_memory_region(given, [a, b])
        inputs = [placed(module, "INPUT0", a.shape, "INT32", "in", 64), placed(module, "INPUT1", b.shape, "INT32", "in", 64, 64)]
        outputs = [wanted(module, "OUTPUT0", "out", 64), wanted(module, "OUTPUT1", "out", 64, 64)]
        result = client.infer("simple", inputs, outputs=outputs)
        assert np.array_equal(shm.get_contents_as_numpy(taken, np.int32, [1, 16]), a + b)
        assert np.array_equal(shm.get_contents_as_numpy(taken, np.int32, [1, 16], 64), a - b)
        told = result.get_output("OUTPUT1")
        if isinstance(told, dict):
            assert told["parameters"] == {"shared_memory_region": "out", "shared_memory_offset": 64,
                                          "shared_memory_byte_size": 64} and told["shape"] == [1, 16]
        else:
            assert told.parameters["shared_memory_region"].string_param == "out" and list(told.shape) == [1, 16]
        client.unregister_system_shared_memory("in")
        assert set(regions(client)) == {"out"}
        with pytest.raises(InferenceServerException, match="Unable to find shared memory region: 'in'"):
            client.infer("simple", inputs, outputs=outputs)


def test_some_tensors_lie_in_regions_and_others_travel(face):
    module, client = face
    a, b = np.arange(16, dtype=np.int32).reshape(1, 16), np.full((1, 16), 5, np.int32)
    plain = module.InferInput("INPUT1", [1, 16], "INT32")
    plain.set_data_from_numpy(b)
    with region(client, "mixed", 128) as handle:
        shm.set_shared_memory_region(handle, [a])
        for order in (0, 1):
            inputs = [placed(module, "INPUT0", a.shape, "INT32", "mixed", 64), plain]
            outputs = [module.InferRequestedOutput("OUTPUT0"), wanted(module, "OUTPUT1", "mixed", 64, 64)]
            result = client.infer("simple", inputs[::-1] if order else inputs, outputs=outputs[::-1] if order else outputs)
            assert np.array_equal(shm.get_contents_as_numpy(handle, np.int32, [1, 16], 64), a - b)
            assert np.array_equal(result.as_numpy("OUTPUT0"), a + b)


def test_strings_and_sixteen_megabytes(face):
    module, client = face
    words = np.array([b"", b"hello", "Grüße".encode()], dtype=object)
    packed = serialize_byte_tensor(words)
    size = len(packed.item())
    x = np.random.default_rng(4).standard_normal(4_000_000).astype(np.float32)
    with region(client, "words", 2 * size) as handle, region(client, "large", 2 * x.nbytes) as large:
        shm.set_shared_memory_region(handle, [packed])
        client.infer("words", [placed(module, "x", [3], "BYTES", "words", size)],
                     outputs=[wanted(module, "y", "words", size, size)])
        assert list(shm.get_contents_as_numpy(handle, np.object_, [3], size)) == list(words)
        shm.set_shared_memory_region(large, [x])
        client.infer("identity", [placed(module, "x", x.shape, "FP32", "large", x.nbytes)],
                     outputs=[wanted(module, "y", "large", x.nbytes, x.nbytes)])
        assert np.array_equal(shm.get_contents_as_numpy(large, np.float32, x.shape, x.nbytes), x)


def test_what_is_wrong_with_a_region_is_told(face):
    module, client = face
    with region(client, "small", 64) as handle:
        shm.set_shared_memory_region(handle, [np.zeros(16, np.float32)])
        with pytest.raises(InferenceServerException, match="already in manager"):
            client.register_system_shared_memory("small", f"/ingot_{os.getpid()}_small", 64)
        for key, size, offset, words in (("/../../etc/passwd", 8, 0, "is not taken"), ("/no/path", 8, 0, "is not taken"),
                                         ("/ingot_no_such_object", 8, 0, "unable to open"),
                                         (f"/ingot_{os.getpid()}_small", 65, 0, "65 are needed"),
                                         (f"/ingot_{os.getpid()}_small", 8, 2**63, "no size"),
                                         (f"/ingot_{os.getpid()}_small", 0, 0, "is 0")):
            with pytest.raises(InferenceServerException, match=words):
                client.register_system_shared_memory("other", key, size, offset)
        for size, offset, shape, words in ((64, 8, [16], "passes its 64 bytes"), (60, 0, [16], "needs 64 bytes"),
                                           (64, 0, [17], "needs 68 bytes")):
            with pytest.raises(InferenceServerException, match=words):
                client.infer("identity", [placed(module, "x", shape, "FP32", "small", size, offset)])
        plain = module.InferInput("x", [16], "FP32")
        plain.set_data_from_numpy(np.zeros(16, np.float32))
        with pytest.raises(InferenceServerException, match="at least 64 bytes"):
            client.infer("identity", [plain], outputs=[wanted(module, "y", "small", 32)])
        assert set(regions(client)) == {"small"}


def test_an_object_that_shrinks_while_it_is_used_ends_requests_not_the_server(face, server):
    module, client = face
    x = np.ones(1_000_000, np.float32)
    with region(client, "shrinks", x.nbytes) as handle:
        path = f"/dev/shm/ingot_{os.getpid()}_shrinks"
        shm.set_shared_memory_region(handle, [x])
        stop = threading.Event()

        def resize():
            while not stop.is_set():
                os.truncate(path, mmap.PAGESIZE)
                os.truncate(path, x.nbytes)
        thread = threading.Thread(target=resize)
        thread.start()
        failed = 0
        try:
            for _ in range(60):
                try:
                    client.infer("identity", [placed(module, "x", x.shape, "FP32", "shrinks", x.nbytes)],
                                 outputs=[wanted(module, "y", "shrinks", x.nbytes)])
                except InferenceServerException as e:
                    assert "shrank" in str(e) or "are needed" in str(e)
                    failed += 1
        finally:
            stop.set()
            thread.join()
        assert failed > 0 and server.alive()


def test_regions_that_go_while_they_are_used_end_no_request_wrongly(face, server):
    module, client = face
    x = np.arange(100_000, dtype=np.float32)
    make = type(client)
    where = server.url[7:] if module is triton_http else server.grpc
    with region(client, "goes", 2 * x.nbytes) as handle:
        shm.set_shared_memory_region(handle, [x])
        stop, wrong = threading.Event(), []

        def ask():
            with make(where) as own:
                while not stop.is_set():
                    try:
                        own.infer("identity", [placed(module, "x", x.shape, "FP32", "goes", x.nbytes)],
                                  outputs=[wanted(module, "y", "goes", x.nbytes, x.nbytes)])
                    except InferenceServerException as e:
                        if "Unable to find" not in str(e):
                            wrong.append(str(e))
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for t in threads:
            t.start()
        for _ in range(100):
            client.unregister_system_shared_memory("goes")
            client.register_system_shared_memory("goes", f"/ingot_{os.getpid()}_goes", 2 * x.nbytes)
        stop.set()
        for t in threads:
            t.join()
        assert wrong == [] and np.array_equal(shm.get_contents_as_numpy(handle, np.float32, x.shape, x.nbytes), x)


def test_it_is_off_unless_asked_for_and_cuda_memory_never_is(face, repository):  # noqa: F811
    module, client = face
    for call in (client.get_cuda_shared_memory_status, client.unregister_cuda_shared_memory,
                 lambda: client.register_cuda_shared_memory("r", b"AAAA", 0, 8)):
        with pytest.raises(InferenceServerException, match="runs on the CPU"):
            call()
    assert "system_shared_memory" in str(client.get_server_metadata())
    with serving.Server(repository / "simple") as s:
        with module.InferenceServerClient(s.url[7:] if module is triton_http else s.grpc) as off:
            for call in (off.get_system_shared_memory_status, off.unregister_system_shared_memory,
                         lambda: off.register_system_shared_memory("r", "/k", 8),
                         lambda: off.infer("simple", [placed(module, "INPUT0", [1, 16], "INT32", "r", 64)])):
                with pytest.raises(InferenceServerException, match="--shared-memory"):
                    call()
            assert "system_shared_memory" not in str(off.get_server_metadata())
