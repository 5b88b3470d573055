"""A local stand-in for the Hugging Face Hub: its HTTP API on one port, its "CDN" on a second one.

Speaks GET /api/models/{repo}/revision/{rev}?blobs=true and GET /{repo}/resolve/{rev}/{file}, which
redirects LFS files to the CDN port, with Range, If-Range and ETag. Faults are asked for by setting
attributes of the FakeHub object; every request is kept in `log`.
"""
import hashlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlparse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_secret"


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that went away is part of the tests."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class FakeHub:
    def __init__(self):
        self.repos = {}             # "org/repo" -> {path: bytes}
        self.private = set()        # repositories that need the token
        self.log = []               # (server, path, headers)
        self.truncate = []          # bytes after which the next answers break off
        self.fail = []              # statuses of the next answers for files
        self.corrupt = 0            # so many answers carry a wrong byte
        self.bytes_per_s = 0        # 0: at once
        self.wrong_size = False     # the list claims one byte, no length is sent
        self.answer = None          # replaces the description
        self.ranges = True
        self.lock = threading.Lock()
        self.servers = [Server(("127.0.0.1", 0), handler(self, name)) for name in ("hub", "cdn")]
        for server in self.servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.url, self.cdn = [f"http://127.0.0.1:{s.server_address[1]}" for s in self.servers]

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def take(self, faults):
        with self.lock:
            return faults.pop(0) if faults else None

    def description(self, repo):
        files = []
        for path, data in self.repos[repo].items():
            entry = {"rfilename": path, "size": len(data), "blobId": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()}
            if is_lfs(path):
                size = 1 if self.wrong_size else len(data)
                entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": size, "pointerSize": 130}
                entry["size"] = size
            files.append(entry)
        return {"id": repo, "sha": COMMIT, "siblings": files}


def is_lfs(path):
    return path.endswith((".gguf", ".safetensors", ".onnx"))


def handler(hub, name):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def reply(self, status, body=b"", headers=()):
            self.send_response(status)
            for key, value in headers:
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            hub.log.append((name, self.path, dict(self.headers)))
            parts = unquote(urlparse(self.path).path).strip("/").split("/")
            try:
                (self.describe if parts[:2] == ["api", "models"] else self.resolve)(parts)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def find(self, repo):
            """The repository's files, or None after an error answer."""
            if repo in hub.private and self.headers.get("Authorization") != "Bearer " + TOKEN:
                self.reply(401, b'{"error":"Unauthorized"}', [("X-Error-Code", "GatedRepo")])
            elif repo not in hub.repos:
                self.reply(404, b'{"error":"Repository not found"}', [("X-Error-Code", "RepoNotFound")])
            else:
                return hub.repos[repo]

        def describe(self, parts):
            at = parts.index("revision")
            repo, revision = "/".join(parts[2:at]), "/".join(parts[at + 1:])
            if self.find(repo) is None:
                return
            if revision not in ("main", COMMIT):
                return self.reply(404, b"{}", [("X-Error-Code", "RevisionNotFound")])
            body = hub.answer if hub.answer is not None else json.dumps(hub.description(repo)).encode()
            self.reply(200, body, [("Content-Type", "application/json")])

        def resolve(self, parts):
            at = parts.index("resolve")
            repo, path = "/".join(parts[:at]), "/".join(parts[at + 2:])
            files = hub.repos.get(repo) if name == "cdn" else self.find(repo)
            if files is None:
                return
            if path not in files:
                return self.reply(404, b"", [("X-Error-Code", "EntryNotFound")])
            data = files[path]
            sha256 = hashlib.sha256(data).hexdigest()
            if name == "hub" and is_lfs(path):
                return self.reply(302, b"", [("Location", hub.cdn + self.path), ("X-Linked-ETag", f'"{sha256}"'),
                                             ("X-Linked-Size", str(len(data)))])
            status = hub.take(hub.fail)
            if status:
                return self.reply(status, b"no")
            self.send_file(data, f'"{sha256}"')

        def send_file(self, data, etag):
            begin, total = 0, len(data)
            wanted = self.headers.get("Range")
            if wanted and hub.ranges and self.headers.get("If-Range", etag) == etag:
                begin = int(wanted.removeprefix("bytes=").rstrip("-"))
                if begin >= total:
                    return self.reply(416, b"", [("Content-Range", f"bytes */{total}")])
            if hub.corrupt > 0:
                hub.corrupt -= 1
                data = data[:-1] + bytes([data[-1] ^ 1])
            cut = hub.take(hub.truncate)
            self.send_response(206 if begin else 200)
            self.send_header("ETag", etag)
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{total - 1}/{total}")
            if hub.wrong_size:
                self.send_header("Connection", "close")
                self.close_connection = True
            else:
                self.send_header("Content-Length", str(total - begin))
            self.end_headers()
            self.stream(data[begin:] if cut is None else data[begin:begin + cut])
            if cut is not None:
                self.wfile.flush()
                self.close_connection = True

        def stream(self, data):
            if not hub.bytes_per_s:
                self.wfile.write(data)
                return
            step = max(hub.bytes_per_s // 20, 1)
            for i in range(0, len(data), step):
                self.wfile.write(data[i:i + step])
                time.sleep(0.05)

    return Handler
