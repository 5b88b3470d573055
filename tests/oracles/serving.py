"""A running `ingot serve` for the tests of the server, and a socket for what no client library would send."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
BINARY = Path(os.environ.get("INGOT") or ROOT / "build/release/bin/ingot")
CHAT_TEMPLATE = """{{ bos_token }}{% for tool in tools or [] %}[tool {{ tool.function.name }}]
{% endfor %}{% for m in messages %}{{ m.role }}: {{ m.content }}
{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"""

LOADABLE = ("--model-control-mode", "explicit", "--load-model", "*")  # clients may load and unload; all begin loaded


class Server:
    """Starts on free ports, waits until it listens (and, unless told otherwise, is ready), ends on exit."""

    def __init__(self, *args, wait=True, ports=True):
        free = ["--http-port", "0", "--grpc-port=-1", "--metrics-port", "0"] if ports else []
        self.process = subprocess.Popen([str(BINARY), "serve", *map(str, args), *free], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.log, self.messages = [], []
        self._listening = threading.Event()
        self._readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                         for pair in ((self.process.stdout, self.log), (self.process.stderr, self.messages))]
        for reader in self._readers:
            reader.start()
        if not self._listening.wait(60) or self.process.poll() is not None:
            self.process.kill()
            self.process.wait()
            raise RuntimeError("ingot serve does not listen: " + "".join(self.messages))
        line = next(m for m in self.messages if m.startswith("listening on"))
        self.url = re.search(r"listening on (\S+?)(,|\s)", line)[1]
        self.port = int(self.url.rsplit(":", 1)[1])
        grpc = re.search(r"gRPC on grpcs?://([^,\s]+)", line)
        self.grpc = grpc[1] if grpc else None
        metrics = re.search(r"metrics on (\S+)", line)
        self.metrics_url = metrics[1] if metrics else None
        if wait:
            self.wait_ready()

    def _read(self, pipe, lines):
        for line in pipe:
            lines.append(line)
            if line.startswith("listening on") or pipe is self.process.stderr and line.startswith("error"):
                self._listening.set()
        self._listening.set()

    def wait_ready(self, timeout_s=120):
        end = time.monotonic() + timeout_s
        while self.get("/ready")[0] != 200:
            assert self.process.poll() is None, "".join(self.messages)
            assert time.monotonic() < end, "never ready: " + "".join(self.messages)
            time.sleep(0.02)

    def get(self, path, headers=None):
        return self.request("GET", path, None, headers)

    def post(self, path, body, headers=None):
        """(status, JSON or text, headers); body: bytes as they are, anything else as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", path, raw, {"Content-Type": "application/json", **(headers or {})})

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            try:
                text = json.loads(text)
            except ValueError:
                pass
            return answer.status, text, {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()

    def raw(self, data=b"", timeout_s=30):
        return Raw(self.port, data, timeout_s)

    def alive(self):
        return self.process.poll() is None and self.get("/live")[0] == 200

    def resident_mb(self):
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def stop(self, signal_number=signal.SIGTERM, timeout_s=90):
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        code = self.process.wait(timeout_s)
        for reader in self._readers:
            reader.join(5)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Raw:
    """A bare connection: what is sent is exactly what the test says."""

    def __init__(self, port, data, timeout_s):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        if data:
            self.send(data)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server answered early and closed; what it said can still be read

    def read(self):
        """Everything until the server closes."""
        data = b""
        try:
            while piece := self.socket.recv(65536):
                data += piece
        except ConnectionResetError:
            pass
        return data

    def status(self):
        answer = self.read()
        return int(answer.split(b" ", 2)[1]) if answer else 0

    def close(self):
        self.socket.close()


def request_bytes(path, body, method="POST", headers=""):
    return (f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{headers}\r\n").encode() + body
