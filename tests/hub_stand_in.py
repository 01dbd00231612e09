"""A stand-in for the Hugging Face Hub: what its client asks for on download and upload, in memory."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import attrs

Files = Mapping[str, bytes]


@attrs.define
class Repository:
    """The commits of a repository, and the names that point to them."""

    commits: dict[str, Files] = attrs.field(factory=dict)
    refs: dict[str, str] = attrs.field(factory=dict)
    messages: list[str] = attrs.field(factory=list)
    private: bool = False

    def commit(self, files: Files, message: str = "") -> str:
        """Add a commit on `main`; returns its hash."""
        digest = hashlib.sha1(str(len(self.commits)).encode())
        for path, content in sorted(files.items()):
            digest.update(path.encode() + content)
        sha = digest.hexdigest()
        self.commits[sha] = dict(files)
        self.refs["main"] = sha
        self.messages.append(message)
        return sha

    def find(self, revision: str) -> str | None:
        """Return the hash of a branch, a tag or a commit."""
        return self.refs.get(revision, revision if revision in self.commits else None)


@attrs.define
class Hub:
    """Repositories by id, and every request that was made."""

    repositories: dict[str, Repository] = attrs.field(factory=dict)
    requests: list[tuple[str, str]] = attrs.field(factory=list)
    broken: bool = False
    torn: bool = False
    forbidden: bool = False
    address: str = ""


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Serve a Hub on a free port of this machine alone."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._read()

    def do_GET(self) -> None:
        self._read()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self._note()
        if self.hub.forbidden:
            self._json({"error": "You may not write here"}, 403)
        elif path == ["api", "repos", "create"]:
            self._create(json.loads(body))
        elif path == ["api", "validate-yaml"]:
            self._json({"errors": [], "warnings": []})
        elif len(path) > 4 and path[4] == "preupload":
            asked = [file["path"] for file in json.loads(body)["files"]]
            modes = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in asked]
            self._json({"files": modes})
        elif len(path) > 4 and path[4] == "commit":
            self._commit("/".join(path[2:4]), body)
        else:
            self._json({"error": "no such route"}, 404)

    def _note(self) -> list[str]:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        self.hub.requests.append((self.command, "/".join(parts)))
        return parts

    def _read(self) -> None:
        path = self._note()
        if self.hub.broken:
            self._json({"error": "out of order"}, 500)
        elif path[:2] == ["api", "models"]:
            self._describe("/".join(path[2:4]), path[4:])
        elif self.hub.torn and path[2:3] == ["resolve"]:
            # No answer at all: the connection ends.
            self.close_connection = True
        elif len(path) > 4 and path[2] == "resolve":
            self._file("/".join(path[:2]), path[3], "/".join(path[4:]))
        else:
            self._json({"error": "no such route"}, 404)

    def _found(self, name: str, revision: str) -> tuple[str, Files] | None:
        repository = self.hub.repositories.get(name)
        if repository is None:
            self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
            return None
        sha = repository.find(revision)
        if sha is None:
            error = {"error": f"Invalid rev id: {revision}"}
            self._json(error, 404, {"X-Error-Code": "RevisionNotFound"})
            return None
        return sha, repository.commits[sha]

    def _describe(self, name: str, rest: list[str]) -> None:
        found = self._found(name, rest[1] if len(rest) > 1 else "main")
        if found is None:
            return
        sha, files = found
        if rest[:1] == ["tree"]:
            rows = [
                {"type": "file", "path": path, "size": len(content), "oid": _etag(content)}
                for path, content in files.items()
            ]
            self._json(rows)
        else:
            self._json({"id": name, "sha": sha, "siblings": [{"rfilename": path} for path in files]})

    def _file(self, name: str, revision: str, path: str) -> None:
        found = self._found(name, revision)
        if found is None:
            return
        sha, files = found
        if path not in files:
            self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        self._send(files[path], 200, {"ETag": f'"{_etag(files[path])}"', "X-Repo-Commit": sha})

    def _create(self, asked: Mapping[str, object]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        known = name in self.hub.repositories
        if not known:
            private = asked.get("visibility") == "private" or asked.get("private") is True
            self.hub.repositories[name] = Repository(private=private)
            self.hub.repositories[name].commit({".gitattributes": b"* text\n"}, "initial commit")
        self._json({"url": f"{self.hub.address}/{name}"}, 409 if known else 200)

    def _commit(self, name: str, body: bytes) -> None:
        repository = self.hub.repositories[name]
        files = dict(repository.commits[repository.refs["main"]])
        message = ""
        for line in body.splitlines():
            row = json.loads(line)
            value = row["value"]
            if row["key"] == "header":
                message = value["summary"]
            elif row["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif row["key"] == "deletedFile":
                del files[value["path"]]
        sha = repository.commit(files, message)
        self._json({"commitUrl": f"{self.hub.address}/{name}/commit/{sha}", "commitOid": sha})

    def _json(self, value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        extra = {"Content-Type": "application/json", **(headers or {})}
        if status >= 400 and isinstance(value, dict) and "error" in value:
            extra["X-Error-Message"] = str(value["error"])
        self._send(json.dumps(value).encode(), status, extra)

    def _send(self, content: bytes, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _etag(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\x00" % len(content) + content).hexdigest()
