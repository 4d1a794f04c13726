"""The web server: `python -m app`, then http://localhost:8080/total?coffee=2&mug=1 (PORT and DISCOUNT_PERCENT may be set)."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from app.prices import PRICES, total

DISCOUNT_PERCENT = int(os.environ.get("DISCOUNT_PERCENT", "0"))


class Shop(BaseHTTPRequestHandler):
    def do_GET(self):
        address = urlsplit(self.path)
        if address.path == "/healthz":
            self.answer(200, {"status": "ok"})
        elif address.path == "/":
            self.answer(200, {"greeting": os.environ.get("GREETING", "Welcome"), "prices": PRICES})
        elif address.path == "/total":
            try:
                basket = {article: int(pieces) for article, pieces in parse_qsl(address.query)}
                self.answer(200, {"total": total(basket, DISCOUNT_PERCENT)})
            except (KeyError, ValueError) as error:
                self.answer(400, {"error": str(error)})
        else:
            self.answer(404, {"error": "not found"})

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Shop).serve_forever()
