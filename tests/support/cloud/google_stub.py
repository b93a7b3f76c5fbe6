"""As much of Google's APIs as gcloud asks for when it deploys: what is put is kept, and given back so.

What it proves is what gcloud sends and how it prints what it gets, not what Google makes of it. It is
gcloud's HTTP proxy, so it serves every API under a host name of its own.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Document = dict[str, Any]
PROJECT = {"projectId": "my-project", "projectNumber": "123456", "lifecycleState": "ACTIVE"}
APIS = ("RUN", "CLOUDFUNCTIONS", "CLOUDRESOURCEMANAGER", "SERVICEUSAGE", "STORAGE", "IAM", "EVENTARC")
READY = [{"type": each, "status": "True"} for each in ("Ready", "ConfigurationsReady", "RoutesReady")]
UPLOAD = "http://upload.test/source"


class Google:
    """What was put, by path without the API's version."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.asked: list[str] = []

    def answer(self, method: str, url: str, body: bytes) -> tuple[int, Document]:
        """Answer one request."""
        parts = urlsplit(url)
        api, path = parts.netloc.partition(".")[0], parts.path
        self.asked.append(f"{method} {api}{path}")
        if url.startswith(UPLOAD):
            return 200, {}
        if api == "cloudresourcemanager" and method == "GET":
            return 200, PROJECT
        if api == "serviceusage":
            return 200, {"name": path, "state": "ENABLED"}
        if path.endswith(":getIamPolicy"):
            return 200, {"etag": "eA==", "bindings": []}
        if path.endswith(":setIamPolicy"):
            return 200, json.loads(body).get("policy", {})
        if path.endswith("/runtimes"):
            return 200, {"runtimes": [{"name": "python312", "environment": "GEN_2"}]}
        if path.endswith(":generateUploadUrl"):
            return 200, {"uploadUrl": UPLOAD, "storageSource": {"bucket": "uploads", "object": "source.zip"}}
        if "/operations/" in path:
            metadata = {"@type": "google.cloud.functions.v2.OperationMetadata", "stages": []}
            done = {"done": True, "response": {"@type": "google.cloud.functions.v2.Function"}}
            return 200, {"name": path.removeprefix("/v2/"), "metadata": metadata, **done}
        if method in ("POST", "PUT", "PATCH"):
            return 200, self._put(api, path, json.loads(body), parse_qs(parts.query))
        found = self.documents.get(f"{api}{path}")
        return (200, found) if found else (404, {"error": {"code": 404, "status": "NOT_FOUND"}})

    def _put(self, api: str, path: str, document: Document, query: dict[str, list[str]]) -> Document:
        if api == "cloudfunctions":
            name = path if "functionId" not in query else f"{path}/{query['functionId'][0]}"
            stored = {**document, "state": "ACTIVE", "environment": "GEN_2"}
            self.documents[f"{api}{name}"] = stored
            return {"name": f"{path.partition('/functions')[0].removeprefix('/v2/')}/operations/1"}
        if api == "storage":
            key = f"{api}{path}/{document['name']}" if path.endswith("/b") else f"{api}{path}"
            self.documents[key] = {**self.documents.get(key, {}), **document}
            return self.documents[key]
        name = document["metadata"]["name"]
        revision = {"latestReadyRevisionName": "r-1", "latestCreatedRevisionName": "r-1"}
        document["metadata"]["generation"] = 1
        document["status"] = {
            **revision,
            "observedGeneration": 1,
            "conditions": READY,
            "url": f"https://{name}-x.a.run.app",
            "traffic": [{"percent": 100, "latestRevision": True, "revisionName": "r-1"}],
        }
        self.documents[f"{api}{path.removesuffix(f'/{name}')}/{name}"] = document
        return document


@contextmanager
def google() -> Iterator[tuple[Google, dict[str, str]]]:
    """The stub, and the variables that turn gcloud to it."""
    state = Google()

    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            code, document = state.answer(self.command, self.path, body)
            text = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = reply  # noqa: N815 (http.server's names)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    proxy = f"http://127.0.0.1:{server.server_port}"
    hosts = {f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}": f"http://{api.lower()}.test/" for api in APIS}
    hosts["CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE"] += "storage/v1/"
    try:
        yield state, {**hosts, "http_proxy": proxy, "HTTP_PROXY": proxy, "no_proxy": "", "NO_PROXY": ""}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
