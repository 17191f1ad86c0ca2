"""Asks `pairgate serve` what nobody should ask:

    python3 tests/serve_fuzz.py target/release/pairgate                  100,000 requests
    python3 tests/serve_fuzz.py target/release/pairgate --times 5000     for CI

Standard library only. Forms, chunks, heads and tars are made wrong on purpose, or by changed bytes; several
requests come in one piece; connections are cut off. What must hold:

- whatever is answered is HTTP, with a status that serve.md lists, and never 500;
- after each thousand a good pair is answered within a minute, no connection is left open, no thread too many,
  and memory is within the ceiling that the service was given;
- nothing panics; SIGTERM ends it with 0; every pair in the journal is whole, each with one record.

A run is made again by its seed. The folder of one that fails is kept, with the last requests.
"""

import argparse
import bz2
import gzip
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections import Counter
from http.client import HTTPException
from pathlib import Path

from client import Gate

HERE = Path(__file__).parent
THREADS, LONGEST_S, ROUND = 8, 60, 1000
STATUSES = {100, 200, 400, 401, 403, 404, 405, 408, 413, 414, 415, 417, 429, 431, 503, 505}
CEILING_MIB = 256
CONFIG = f"""
[memory]
ceiling_bytes = "{CEILING_MIB} MiB"
[image]
max_side = 2048
max_decode_bytes = "16 MiB"
[sample]
max_sample_bytes = "1 MiB"
max_caption_bytes = "16 KiB"
[pipeline]
workers = 1
queue = 8
batch = 4
max_bytes_in_flight = "4 MiB"
[serve]
queue = 16
max_connections = 32
max_bytes = "8 MiB"
max_streams = 4
uid_window = 1000
header_ms = 500
body_ms = 500
idle_ms = 1000
[storage]
shard_pairs = 500
max_bytes = "64 MiB"
on_full = "drop_oldest"
"""


class Fault(Exception):
    """What was found wrong."""


def expect(holds, what):
    if not holds:
        raise Fault(what)


class Maker:
    """Requests by one source of chance."""

    def __init__(self, rng, images):
        self.rng, self.images = rng, images

    def request(self):
        makers = [self.form, self.fields, self.chunked, self.head, self.tar, self.changed, self.several]
        return self.rng.choice(makers)()

    def junk(self, most=200):
        return self.rng.randbytes(self.rng.randrange(most))

    def post(self, path, body, *lines, host=b"localhost", length=None):
        length = len(body) if length is None else length
        head = [b"POST %s HTTP/1.1" % path, b"host: " + host, b"content-length: %d" % length, *lines]
        return b"\r\n".join(head) + b"\r\n\r\n" + body

    def parts(self, fields, mark=b"mark", end=True):
        body = b""
        for name, value in fields:
            body += b'--%s\r\ncontent-disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (mark, name, value)
        return body + (b"--%s--\r\n" % mark if end else b"")

    def good(self):
        fields = [(b"image", self.image()), (b"caption", b"waves roll onto a sandy beach")]
        return self.posted(self.parts(fields))

    def posted(self, body, mark=b"mark", **more):
        return self.post(b"/v1/judge", body, b"content-type: multipart/form-data; boundary=" + mark, **more)

    def image(self):
        image = self.rng.choice(self.images)
        return self.flipped(image) if self.rng.random() < 0.3 else image

    def flipped(self, data, most=8):
        """Bytes changed, left out, put in, or there twice."""
        data = bytearray(data)
        for _ in range(self.rng.randrange(1, most)):
            at = self.rng.randrange(len(data) + 1)
            end = min(len(data), at + self.rng.choice([1, 1, 2, 8, 100]))
            how = self.rng.randrange(4)
            if how == 0:
                data[at:end] = self.rng.randbytes(end - at)
            elif how == 1:
                del data[at:end]
            elif how == 2:
                data[at:at] = self.rng.choice([b"\0", b"\r\n", b"\n", b"--", b'"', b";", b"\xff\xfe", b"0", self.junk()])
            else:
                data[at:at] = data[at:end]
        return bytes(data)

    def form(self):
        """A form whose frame is wrong."""
        rng, body = self.rng, self.parts([(b"image", self.image()), (b"caption", b"waves on a sandy beach")])
        mark = rng.choice([b"mark", b"mar", b"mark2", b"", b'"mark"', b"m" * 200, b"\xff", b"mark; x=y", b"mark\t"])
        broken = rng.choice(
            [
                body,
                body[: rng.randrange(len(body))],
                body.replace(b"\r\n", b"\n"),
                body.replace(b"form-data", rng.choice([b"attachment", b"", b"form-data; " * 50])),
                body.replace(b"name=", rng.choice([b"nam=", b"filename=", b"name*=UTF-8''", b"name==", b"name=\"a\"; name="])),
                b"--mark--\r\n" + body,
                self.junk() + body,
                body + self.junk(),
                b"--mark\r\n" * rng.randrange(1, 3000),
                b"--mark\r\n" + b"x: y\r\n" * rng.randrange(1, 3000) + b"\r\n",
                b"--mark\r\n" + b"x" * rng.randrange(1, 300_000),
                b"\r\n--mark\r\n\r\n" * rng.randrange(1, 300),
                self.flipped(body),
                b"",
            ]
        )
        return self.posted(broken, mark)

    def fields(self):
        """A form whose fields are wrong."""
        rng, deep = self.rng, rng_deep(self.rng)
        values = {
            b"image": [b"", self.junk(5000), self.image(), b"\xff\xd8\xff" + self.junk(3000), bytes(1_100_000)],
            b"caption": [b"", b"\xff\xfe\xfd", b"word " * 5000, b"\0" * 100, b"\xf0\x9f\x98\x80" * 500, b"a" * 1_100_000],
            b"key": [b"", b"../../etc/passwd", b"a/b", b"\0", b"k" * 5000, b"k" * 4000, b"\xff", b".", b"a.b.c"],
            b"uid": [b"", b"0" * 32, b"f" * 32, b"%032x" % rng.randrange(50), b"g" * 32, b"0" * 33, b"\xff" * 32, b" " * 64],
            b"metadata": [b"", b"{}", b"[]", b"{", deep, b'{"uid": 7}', b'{"uid": "x", "uid": "y"}', b'{"a": 1e999}', b"{}{}"],
            b"headers": [b"{}", b"null", deep, b'{"a": "\xff"}', b'{"\\ud800": 1}', b'{"x":"' + b"y" * 100_000 + b'"}'],
            b"store": [b"0", b"1", b"2", b"", b"true", b"1" * 5000],
            rng.choice([b"other", b"", b"\xff", b"image2", b"Image"]): [b"x"],
        }
        chosen = rng.sample(list(values), rng.randrange(1, 5)) + rng.choices(list(values), k=rng.randrange(2))
        if rng.random() < 0.7:
            chosen.insert(0, b"image")
        return self.posted(self.parts([(name, rng.choice(values[name])) for name in chosen]))

    def chunked(self):
        """Chunks of odd lengths, and odd chunks."""
        rng = self.rng
        whole = self.parts([(b"image", self.image()), (b"caption", b"waves on a sandy beach")])
        body, at = b"", 0
        while at < len(whole) and len(body) < 1 << 20:
            piece = whole[at : at + rng.choice([1, 7, 100, 5000, 20_000])]
            at += len(piece)
            body += b"%x\r\n%s\r\n" % (len(piece), piece)
            if rng.random() < 0.02:
                body += rng.choice(
                    [
                        b"0\r\n\r\n",
                        b"ffffffffffffffff\r\nx",
                        b"fffffffffffffffff\r\n",
                        b"-1\r\nx\r\n",
                        b"0x5\r\nhello\r\n",
                        b"5 ; a=b\r\nhello\r\n",
                        b"5;" + b"e" * 70_000 + b"\r\nhello\r\n",
                        b"5\nhello\n",
                        b"\r\n\r\n",
                        b"5\r\nhel",
                        b"7fffffff\r\n",
                        self.junk(),
                    ]
                )
        body += rng.choice([b"0\r\n\r\n", b"0\r\n", b"", b"0\r\nx: y\r\n\r\n", b"0\r\n" + b"x: y\r\n" * 2000 + b"\r\n", b"00\r\n\r\n"])
        kind = b"content-type: multipart/form-data; boundary=mark"
        coding = rng.choice([b"chunked"] * 5 + [b"gzip, chunked", b"chunked, chunked", b"identity", b"xchunked", b" chunked ,"])
        lines = [b"transfer-encoding: " + coding, kind] + [b"content-length: 5"] * rng.randrange(2)
        path = rng.choice([b"/v1/judge", b"/v1/judge", b"/v1/pairs"])
        return b"\r\n".join([b"POST %s HTTP/1.1" % path, b"host: localhost", *lines]) + b"\r\n\r\n" + body

    def head(self):
        """A head that is wrong."""
        rng = self.rng
        method = rng.choice([b"POST", b"GET", b"PUT", b"post", b"", b"CONNECT", b"OPTIONS", b"X" * 1000, b"PO ST", b"HEAD", b"TRACE"])
        path = rng.choice(
            [b"/v1/judge", b"/v1/pairs", b"/v1/pairs?store=2", b"/v1/pairs?" + b"s" * 9000, b"/", b"*", b"//", b"/../..", b"/%00"]
            + [b"http://localhost/v1/judge", b"localhost:80", b"/\xff", b"/healthz", b"/readyz", b"/metrics", b"/v1/", b"", b"/" * 70_000]
            + [b"/page", b"/status", b"/latest/0", b"/latest/-1", b"/latest/99999999999999999999", b"/thumbnails/1"]
        )
        version = rng.choice([b"HTTP/1.1"] * 4 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/9", b"", b"HTTP/1.1 HTTP/1.1"])
        lines = [
            b"host: localhost",
            b"host: evil.example",
            b"host:",
            b"host: [::1",
            b"host: \xff",
            b"host: localhost:99999999",
            b"origin: http://evil.example",
            b"origin: null",
            b"content-length: 18446744073709551616",
            b"content-length: -1",
            b"content-length: 5, 5",
            b"content-length: 1e3",
            b"content-length: 0",
            b"content-length: 9223372036854775807",
            b"expect: 100-continue",
            b"expect: something",
            b"upgrade: websocket\r\nconnection: upgrade",
            b"upgrade: h2c",
            b"connection: close",
            b"connection: " + b"close, " * 500,
            b"transfer-encoding: chunked",
            b"content-type: multipart/form-data",
            b"content-type: multipart/form-data; boundary=" + b"b" * 5000,
            b"content-type: \xff",
            b"authorization: Bearer",
            b"authorization: Bearer " + b"t" * 9000,
            b"x" * 70_000,
            b"x: " + b"y" * rng.randrange(70_000),
            b" folded: line",
            b"\ttab",
            b"no colon",
            b": empty",
            b"a\0b: c",
            b"x: y\rz: w",
            *[b"x%d: y" % number for number in range(rng.choice([0, 0, 99, 101, 500]))],
        ]
        chosen = rng.sample(lines, rng.randrange(min(len(lines), 8)))
        chosen += lines[-500:] if len(lines) > 100 and rng.random() < 0.3 else []
        end = rng.choice([b"\r\n"] * 5 + [b"\n", b"\r", b""])
        if rng.random() < 0.05:
            return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.junk()
        return end.join([b" ".join([method, path, version]), *chosen]) + end + end + self.junk()

    def tar(self):
        """A stream of pairs that is none, or not whole."""
        rng = self.rng
        data = io.BytesIO()
        form = rng.choice([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
        with tarfile.open(fileobj=data, mode="w", format=form) as tar:
            for number in range(rng.randrange(6)):
                key = rng.choice([str(number), "same", "a/b", "../x", "k" * 90, "é", ".", "x.y"])
                members = {"jpg": self.image(), "txt": b"waves on a sandy beach", "json": b'{"uid": "%032x"}' % rng.randrange(99)}
                for extension in rng.sample(list(members), rng.randrange(1, 4)):
                    info = tarfile.TarInfo(f"{key}.{extension}")
                    info.size = len(members[extension])
                    info.type = rng.choice([tarfile.REGTYPE] * 9 + [tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.LNKTYPE])
                    tar.addfile(info, io.BytesIO(members[extension]))
        whole = data.getvalue()
        packed = [lambda: gzip.compress(whole, 1), lambda: bz2.compress(whole, 1), lambda: gzip.compress(bytes(8 << 20), 9)]
        body = rng.choice([lambda: whole] * 4 + packed + [lambda: whole + whole, lambda: self.hostile_size(whole)])()
        if rng.random() < 0.6:
            body = self.flipped(body, 20) if rng.random() < 0.5 else body[: rng.randrange(len(body) + 1)]
        if rng.random() < 0.05:
            body = rng.choice([b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"\x1f\x8b", b"BZh9", b"\0" * 1024]) + self.junk()
        query = rng.choice([b"", b"", b"?store=0", b"?store=1", b"?x"])
        length = rng.choice([len(body)] * 6 + [len(body) + 512, max(0, len(body) - 512)])
        return self.post(b"/v1/pairs" + query, body, length=length)

    def hostile_size(self, tar):
        """The first header says another size, with the right checksum."""
        if len(tar) < 512:
            return tar
        header = bytearray(tar[:512])
        size = self.rng.choice([b"77777777777\0", b"\x80" + b"\xff" * 11, b"\x80" + b"\0" * 10 + b"\x01", b"            ", b"9" * 12])
        header[124:136] = size
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        return bytes(header) + tar[512:]

    def changed(self):
        """Any request with changed bytes."""
        return self.flipped(self.rng.choice([self.good, self.tar, self.chunked])(), 12)

    def several(self):
        """Requests that follow one another without a pause."""
        makers = [self.good, self.good, self.form, self.fields, self.chunked, self.tar]
        return b"".join(self.rng.choice(makers)() for _ in range(self.rng.randrange(2, 6)))


def rng_deep(rng):
    """JSON that is nested deeply."""
    depth = rng.choice([10, 200, 5000, 50_000])
    return b'{"a":' * depth + b"1" + b"}" * rng.choice([depth, depth - 1])


class Asker(threading.Thread):
    """Sends requests, and looks at what comes back."""

    def __init__(self, address, seed, count, images):
        super().__init__(daemon=True)
        self.address, self.count = address, count
        self.rng = random.Random(seed)
        self.maker, self.statuses = Maker(self.rng, images), Counter()
        self.fault, self.last = None, b""

    def run(self):
        try:
            for _ in range(self.count):
                self.last = self.maker.request()
                self.statuses.update(self.ask(self.last) or ["nothing"])
        except Exception as fault:  # Whatever it is, it is told with its request.
            self.fault = fault

    def ask(self, request):
        """Statuses of the answers."""
        rng = self.rng
        stream = socket.create_connection(self.address, timeout=LONGEST_S)
        try:
            cut = rng.random()
            if cut < 0.1:
                request = request[: rng.randrange(len(request) + 1)]
            self.send(stream, request)
            if cut < 0.05 or rng.random() < 0.05:
                # Reset: what was sent is thrown away.
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return ["cut off"]
            if rng.random() < 0.8:
                stream.shutdown(socket.SHUT_WR)
            return self.answers(stream)
        except TimeoutError:
            raise Fault("a connection takes no bytes, and is not ended") from None
        except OSError:
            return ["reset"]
        finally:
            stream.close()

    def send(self, stream, request):
        if self.rng.random() < 0.7:
            return stream.sendall(request)
        at = 0
        while at < len(request):
            step = self.rng.choice([1, 50, 4000, 100_000])
            stream.sendall(request[at : at + step])
            at += step
            if self.rng.random() < 0.1:
                time.sleep(0.002)

    def answers(self, stream):
        data, begin = b"", time.monotonic()
        # Now and then all is waited for: the service itself must end what does not go on.
        patience = LONGEST_S if self.rng.random() < 0.3 else 0.1
        stream.settimeout(patience)
        try:
            while piece := stream.recv(1 << 16):
                data += piece
        except TimeoutError:
            expect(patience < 1, f"a connection is stuck, {time.monotonic() - begin:.0f} s after {data[:200]}")
        except ConnectionError:
            pass
        # An answer of HTTP/0.9 would have no head.
        expect(not data or data.startswith(b"HTTP/1."), f"no HTTP: {data[:200]}")
        statuses = [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r\n", data)]
        strange = set(statuses) - STATUSES
        expect(not strange, f"answered {strange}: {data[:500]}")
        return statuses


class Service:
    def __init__(self, program, folder):
        self.program, self.out, self.log = program, folder / "kept", folder / "log.txt"
        config = folder / "serve.toml"
        config.write_text(CONFIG)
        command = [program, "serve", "-o", self.out, "--listen", "127.0.0.1:0", "-t=-1", "--config", config]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        deadline = time.monotonic() + LONGEST_S
        while not (found := re.search(r"listening on (http://127.0.0.1:(\d+))", self.log.read_text())):
            expect(self.process.poll() is None and time.monotonic() < deadline, f"no start: {self.log.read_text()}")
            time.sleep(0.02)
        self.url, self.address = found[1], ("127.0.0.1", int(found[2]))
        self.sockets, self.numbers = self.open_sockets(), 1 << 64

    def open_sockets(self):
        count = 0
        for name in os.listdir(f"/proc/{self.process.pid}/fd"):
            try:
                count += os.readlink(f"/proc/{self.process.pid}/fd/{name}").startswith("socket:")
            except OSError:
                pass  # It was closed meanwhile.
        return count

    def status(self, name):
        return int(re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())[1])

    def check(self, image):
        """A good pair is answered, and nothing of the others is left."""
        expect(self.process.poll() is None, f"it ended with {self.process.poll()}")
        self.judge(image)
        deadline = time.monotonic() + LONGEST_S
        while self.open_sockets() > self.sockets:
            expect(time.monotonic() < deadline, f"{self.open_sockets() - self.sockets} connections are left")
            time.sleep(0.05)
        while (threads := self.status("Threads")) > 24:
            expect(time.monotonic() < deadline, f"{threads} threads")
            time.sleep(0.2)
        said = self.log.read_text(errors="replace")
        expect("panicked" not in said, "it panicked, see its log")
        peak = self.status("VmHWM") / 1024
        expect(peak <= CEILING_MIB, f"{peak:.0f} MiB of memory")
        return f"{peak:.0f} MiB at most, {threads} threads"

    def judge(self, image):
        self.numbers += 1
        deadline = time.monotonic() + LONGEST_S
        while True:
            try:
                status, answer = Gate(self.url).judge(image, "waves roll onto a sandy beach", uid=f"{self.numbers:032x}")
            except (OSError, HTTPException) as why:
                status, answer = 0, why
            if status == 200:
                return expect(answer["verdict"] == "kept", answer)
            expect(status in (0, 429, 503) and time.monotonic() < deadline, f"a good pair: {status} {answer}")
            time.sleep(0.05)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        expect(self.process.wait(LONGEST_S) == 0, f"SIGTERM: exit code {self.process.returncode}")
        check = subprocess.run([self.program, "journal", "check", self.out], capture_output=True, text=True)
        expect(check.returncode == 0, f"journal check: {check.stdout}{check.stderr}")
        lines = subprocess.run([self.program, "journal", "cat", self.out], capture_output=True, text=True).stdout
        tickets = [json.loads(line)["ticket"] for line in lines.splitlines()]
        expect(len(tickets) == len(set(tickets)), "a ticket was given twice")


def run(program, folder, args):
    images = [path.read_bytes() for path in sorted((HERE / "data/pairs").glob("*.jpg"))]
    images += [(HERE / "data/damaged/damaged.jpg").read_bytes(), (HERE / "data/bits/rings.png").read_bytes()]
    service, statuses, begin = Service(program, folder), Counter(), time.monotonic()
    try:
        service.judge(images[0])
        done = 0
        while done < args.times:
            count = min(ROUND, args.times - done)
            each = [count // THREADS + (number < count % THREADS) for number in range(THREADS)]
            askers = [Asker(service.address, f"{args.seed} {done} {n}", each[n], images) for n in range(THREADS)]
            for asker in askers:
                asker.start()
            for asker in askers:
                asker.join(600)
                expect(not asker.is_alive(), "a client does not come to an end")
                statuses.update(asker.statuses)
                if asker.fault:
                    (folder / "request.bin").write_bytes(asker.last)
                    raise Fault(f"{type(asker.fault).__name__}: {asker.fault}")
            done += count
            told = service.check(images[0])
            print(f"{time.monotonic() - begin:6.0f} s: {done} requests, {told}", flush=True)
        service.end()
    finally:
        if service.process.poll() is None:
            service.process.kill()
            service.process.wait()
    print(", ".join(f"{count} {status}" for status, count in sorted(statuses.items(), key=str)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].rstrip(":"))
    parser.add_argument("program", type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--times", type=int, default=100_000, help="requests [100,000]")
    parser.add_argument("--seed", type=int, help="what they are made from [random]")
    args = parser.parse_args()
    args.seed = random.SystemRandom().randrange(10**6) if args.seed is None else args.seed
    print(f"seed {args.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="pg-fuzz-"))
    try:
        run(args.program, folder, args)
    except Fault as fault:
        sys.exit(f"FAILED: {fault}\n{folder} has all of it")
    shutil.rmtree(folder)
    print("ok")


if __name__ == "__main__":
    main()
