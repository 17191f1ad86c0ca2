"""Asks `pairgate serve` about a pair, with the standard library alone:

    python3 tests/client.py http://127.0.0.1:8787 photo.jpg "a dog on a beach"
    python3 tests/client.py /run/pairgate/serve.sock photo.jpg "a dog on a beach"
"""
import http.client
import json
import socket
import sys
import uuid


class Gate:
    def __init__(self, to, token=None, timeout=60):
        is_url = to.startswith("http://")
        host = to.removeprefix("http://") if is_url else "localhost"
        self.http = http.client.HTTPConnection(host, timeout=timeout)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        if not is_url:
            self.http.sock = socket.socket(socket.AF_UNIX)
            self.http.sock.settimeout(timeout)
            self.http.sock.connect(to)

    def ask(self, path, body, kind):
        self.http.request("POST", path, body, {"Content-Type": kind, **self.headers})
        answer = self.http.getresponse()
        return answer.status, answer.read()

    def judge(self, image, caption, **more):  # uid, key, metadata, headers, store
        mark, body = uuid.uuid4().hex, b""
        for name, value in {"image": image, "caption": caption, **more}.items():
            body += f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
            body += (value if isinstance(value, bytes) else str(value).encode()) + b"\r\n"
        kind = f"multipart/form-data; boundary={mark}"
        status, answer = self.ask("/v1/judge", body + f"--{mark}--\r\n".encode(), kind)
        return status, json.loads(answer)


if __name__ == "__main__":
    print(*Gate(sys.argv[1]).judge(open(sys.argv[2], "rb").read(), sys.argv[3]))
