#!/usr/bin/env python3
"""The demo's application: a page, channel authorisation, and a button's POST that publishes.

It stands for a Laravel application: it knows the hub only by REVERB_APP_ID, _KEY and _SECRET from
.state/.env and by the loopback listener that it publishes to, as Laravel's broadcaster does.
"""
import hashlib
import hmac
import html
import json
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
HUB = "http://127.0.0.1:8090"
ADDRESS = ("127.0.0.1", 8091)
BODY_BYTES_MAX = 10_000
SCRIPT = "text/javascript"
FILES = {
    "/app.js": (HERE / "page/app.js", SCRIPT),
    "/style.css": (HERE / "page/style.css", "text/css"),
    "/vendor/pusher.js": (HERE / "node_modules/pusher-js/dist/web/pusher.min.js", SCRIPT),
    "/vendor/echo.js": (HERE / "node_modules/laravel-echo/dist/echo.js", SCRIPT),
}


def read_env(path: Path) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    return {name.strip(): value.strip().strip('"') for name, value in pairs}


ENV = read_env(HERE / ".state/.env")
APP, KEY, SECRET = (ENV[f"REVERB_APP_{part}"] for part in ("ID", "KEY", "SECRET"))


def sign(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def publish(channel: str, event: str, data: dict) -> None:
    body = json.dumps({"name": event, "channels": [channel], "data": json.dumps(data)})
    path = f"/apps/{APP}/events"
    query = (f"auth_key={KEY}&auth_timestamp={int(time.time())}&auth_version=1.0"
             f"&body_md5={hashlib.md5(body.encode()).hexdigest()}")
    signature = sign(f"POST\n{path}\n{query}")
    request = urllib.request.Request(f"{HUB}{path}?{query}&auth_signature={signature}",
                                     data=body.encode(),
                                     headers={"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=5).close()


class Application(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "demo-backend"

    def do_GET(self) -> None:
        if self.path == "/":
            page = (HERE / "page/index.html").read_text()
            for name, value in (("key", KEY), ("peer", self.headers.get("X-Forwarded-For", "?"))):
                page = page.replace("{{" + name + "}}", html.escape(value))
            self.answer(200, "text/html; charset=utf-8", page.encode())
        elif self.path in FILES:
            file, kind = FILES[self.path]
            self.answer(200, kind, file.read_bytes())
        else:
            self.answer(404, "text/plain", b"not here\n")

    def do_POST(self) -> None:
        form = self.read_form()
        if self.path == "/broadcasting/auth":
            self.authorise(form.get("socket_id", ""), form.get("channel_name", ""))
        elif self.path == "/publish":
            publish("demo", "message", {"text": form.get("text", "")[:200], "from": "the button"})
            self.answer(204, None, b"")
        else:
            self.answer(404, "text/plain", b"not here\n")

    def authorise(self, socket_id: str, channel: str) -> None:
        member = json.dumps({"user_id": socket_id, "user_info": {"name": "visitor"}})
        signature = sign(f"{socket_id}:{channel}:{member}")
        answer = {"auth": f"{KEY}:{signature}", "channel_data": member}
        self.answer(200, "application/json", json.dumps(answer).encode())

    def read_form(self) -> dict[str, str]:
        length = min(int(self.headers.get("Content-Length", 0)), BODY_BYTES_MAX)
        return dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))

    def answer(self, status: int, kind: str | None, body: bytes) -> None:
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(ADDRESS, Application).serve_forever()
