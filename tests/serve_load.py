"""Holds `pairgate serve` under load, and its tallies against its clients':

    python3 tests/serve_load.py target/release/pairgate                   30 minutes
    python3 tests/serve_load.py target/release/pairgate --seconds 60      for CI

Standard library only. Clients are non-blocking connections of one process, each kept alive, so that the
machine's time goes to the service. Three parts:

1. Alone: one client, one pair after the other. Then the capacity: clients that ask without a pause.
2. Half of the capacity, at random times, by turns with part 1. The 99th percentile of an answer's time is
   at most four times what a pair takes alone; the best of the turns counts, since a busy machine only adds.
3. Twice the capacity for `--seconds`: 64 clients, of which one sends its bodies in small pieces. Memory
   behind the warm-up is flat within 5 %, the least served client has a tenth of the median's answers at
   least, the slow one is answered too, every answer is 200 or 429.

At the end the clients' tallies are those of /metrics, of the summary and of the journal. `--told` only tells
of the times, for machines that have other work.
"""

import argparse
import heapq
import json
import random
import re
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from client import Gate

HERE = Path(__file__).parent
CLIENTS, LONGEST_S = 64, 60
MARK = "pairgate-load"
CONFIG = """
[pipeline]
queue = 16
max_bytes_in_flight = "32 MiB"
[serve]
queue = 24
sync_ms = 5
uid_window = 2000
[storage]
shard_pairs = 1000
max_bytes = "64 MiB"
on_full = "drop_oldest"
[rules]
min_words = 3
"""


class Fault(Exception):
    """What was found wrong."""


def expect(holds, what):
    if not holds:
        raise Fault(what)


class Pairs:
    """Requests, each with a uid of its own; every fifth breaks a rule."""

    def __init__(self, folder):
        self.images = [path.read_bytes() for path in sorted(Path(folder).glob("*.jpg"))]
        expect(self.images, f"{folder}: no .jpg in it")
        self.made = 0

    def request(self):
        self.made += 1
        caption = "sea" if self.made % 5 == 0 else f"waves roll onto a sandy beach {self.made}"
        fields = {"uid": b"%032x" % self.made, "caption": caption.encode()}
        fields["image"] = self.images[self.made % len(self.images)]
        body = b"".join(
            b'--%s\r\ncontent-disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (MARK.encode(), name.encode(), value)
            for name, value in fields.items()
        )
        body += b"--%s--\r\n" % MARK.encode()
        head = f"POST /v1/judge HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
        return f"{head}content-type: multipart/form-data; boundary={MARK}\r\n\r\n".encode() + body


class Client:
    """One connection: a request, its answer, and a pause until the next is due."""

    def __init__(self, load, gap, slow=False):
        self.load, self.gap, self.slow = load, gap, slow
        self.socket = socket.create_connection(load.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.due = 0.0
        self.wait_until(time.monotonic() + random.random() * gap)
        self.out, self.answer, self.begun = b"", b"", None
        self.answers, self.watched = Counter(), 0

    def pause(self):
        """Seconds to the next request: by chance, so that clients meet."""
        return random.expovariate(1 / self.gap) if self.gap else 0.0

    def wait_until(self, due):
        self.due = due
        heapq.heappush(self.load.due, (due, id(self), self))

    def begin(self, now):
        self.begun, self.out = now, self.load.pairs.request()
        self.write()

    def write(self):
        piece = self.out[:512] if self.slow else self.out
        try:
            self.out = self.out[self.socket.send(piece) :]
        except BlockingIOError:
            pass
        if self.slow and self.out:
            self.wait_until(time.monotonic() + 0.05)
        self.watch()

    def watch(self):
        wanted = selectors.EVENT_READ
        if self.out and not self.slow:
            wanted |= selectors.EVENT_WRITE
        if wanted != self.watched:
            change = self.load.selector.modify if self.watched else self.load.selector.register
            change(self.socket, wanted, self)
            self.watched = wanted

    def read(self):
        piece = self.socket.recv(1 << 16)
        expect(piece, "a connection was closed")
        self.answer += piece
        head, blank, body = self.answer.partition(b"\r\n\r\n")
        if not blank:
            return
        length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
        if len(body) < length:
            return
        now, status = time.monotonic(), int(head[9:12])
        self.count(status, json.loads(body))
        self.load.times.append(now - self.begun)
        self.answer, self.begun = b"", None
        # One that is late asks at once, but is not late for ever.
        self.wait_until((now if self.slow else max(self.due, now - 1)) + self.pause())

    def count(self, status, answer):
        expect(status in (200, 429), f"{status} {answer}")
        kind = answer["verdict"] if status == 200 else "refused"
        expect(not answer.get("repeated"), f"an old answer: {answer}")
        self.answers[kind] += 1
        self.answers["answered"] += status == 200


class Load:
    """Clients that run together for a time."""

    def __init__(self, address, pairs):
        self.address, self.pairs, self.tally = address, pairs, Counter()

    def run(self, clients, gap, seconds, slow=False, each_second=lambda: None):
        """`clients` of which each asks every `gap` seconds, or without a pause; gives them and the times."""
        # What is to be done when: a next request, or a slow client's next piece.
        self.selector, self.times, self.due = selectors.DefaultSelector(), [], []
        all_ = [Client(self, gap, slow and number == clients - 1) for number in range(clients)]
        begin = look = time.monotonic()
        while True:
            now = time.monotonic()
            ends = now - begin > seconds
            if ends and not any(client.begun for client in all_):
                break
            expect(now - begin < seconds + LONGEST_S, "answers do not come")
            if now >= look:
                look += 1
                each_second()
            while self.due and self.due[0][0] <= now:
                client = heapq.heappop(self.due)[2]
                if client.out:
                    client.write()
                elif not ends:
                    client.begin(now)
            soonest = min(self.due[0][0] if self.due else now + 1, now + 0.05)
            for key, events in self.selector.select(max(0.0, soonest - time.monotonic())):
                if events & selectors.EVENT_READ:
                    key.data.read()
                if events & selectors.EVENT_WRITE and key.data.out:
                    key.data.write()
        for client in all_:
            self.tally.update(client.answers)
            client.socket.close()
        self.selector.close()
        return all_, sorted(self.times)


class Service:
    def __init__(self, program, folder):
        self.program, self.out, self.log = program, folder / "kept", folder / "log.txt"
        config = folder / "serve.toml"
        config.write_text(CONFIG)
        command = [program, "serve", "-o", self.out, "--listen", "127.0.0.1:0", "-t=-1", "--config", config, "--json"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        deadline = time.monotonic() + LONGEST_S
        while not (found := re.search(r"listening on (http://127.0.0.1:(\d+))", self.log.read_text())):
            expect(self.process.poll() is None and time.monotonic() < deadline, f"no start: {self.log.read_text()}")
            time.sleep(0.02)
        self.url, self.address = found[1], ("127.0.0.1", int(found[2]))

    def memory(self):
        """Resident memory in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024

    def cpu(self):
        """Seconds of processor time."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def metrics(self):
        """Sums of families over their labels."""
        gate = Gate(self.url)
        gate.http.request("GET", "/metrics")
        sums = Counter()
        for line in gate.http.getresponse().read().decode().splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                sums[name.split("{")[0]] += float(value)
        return sums

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        summary, _ = self.process.communicate(timeout=LONGEST_S)
        expect(self.process.returncode == 0, f"SIGTERM: {self.process.returncode}, {self.log.read_text()}")
        return json.loads(summary)


def at(times, share):
    return times[min(len(times) - 1, int(share * len(times)))]


def measure(load, seconds):
    """Alone, capacity, half of it, by turns; gives the capacity and the least ratio."""
    ratios, capacities = [], []
    for turn in range(3):
        _, alone = load.run(1, 0, seconds / 2)
        clients, times = load.run(16, 0, seconds)
        capacities.append(sum(client.answers["answered"] for client in clients) / seconds)
        clients, half = load.run(16, 16 / (capacities[-1] / 2), seconds)
        rate = sum(client.answers["answered"] for client in clients) / seconds
        service = statistics.median(alone)
        ratios.append(at(half, 0.99) / service)
        print(
            f"turn {turn + 1}: alone {1e3 * service:.1f} ms; capacity {capacities[-1]:.0f} pairs/s; at {rate:.0f} pairs/s "
            f"median {1e3 * at(half, 0.5):.1f} ms, p99 {1e3 * at(half, 0.99):.1f} ms: {ratios[-1]:.1f} times",
            flush=True,
        )
    return max(capacities), min(ratios)


def overload(service, load, capacity, seconds):
    """Twice the capacity: nobody starves, and memory stays."""
    memory, cpu = [], service.cpu()
    begin = time.monotonic()
    clients, times = load.run(
        CLIENTS, CLIENTS / (2 * capacity), seconds, slow=True, each_second=lambda: memory.append(service.memory())
    )
    taken = time.monotonic() - begin
    answered = [client.answers["answered"] for client in clients if not client.slow]
    median, slow = statistics.median(answered), clients[-1].answers
    refused = sum(client.answers["refused"] for client in clients)
    print(
        f"twice the capacity, {seconds} s: {len(times) / taken:.0f} requests/s, {sum(answered) / taken:.0f} answered/s, "
        f"{refused} refused; answered a client {min(answered)} / {median:.0f} / {max(answered)} (least, median, most), "
        f"the slow one {slow['answered']}; p99 {1e3 * at(times, 0.99):.0f} ms; {service.cpu() - cpu:.0f} s of CPU"
    )
    expect(refused > 0, "it was not overloaded: nothing was refused")
    expect(min(answered) >= median / 10, f"a client starved: {sorted(answered)[:3]} of {median}")
    expect(slow["answered"] > 0, f"the slow client was never answered: {slow}")
    part = max(5, len(memory) // 6)
    warm, end = statistics.median(memory[part : 2 * part]), statistics.median(memory[-part:])
    print(f"memory: {warm / 2**20:.1f} MiB behind the warm-up, {end / 2**20:.1f} MiB at the end, {end / warm - 1:+.1%}")
    expect(abs(end / warm - 1) <= 0.05, "memory is not flat")


def add_up(service, tally, metrics, summary):
    """The same numbers on both sides."""
    names = {"answered": "received", "kept": "kept", "rejected": "rejected", "failed": "failed"}
    for told, name in names.items():
        counted = metrics[f"pairgate_pairs_{name}_total"]
        expect(counted == tally[told], f"{name}: {counted} in /metrics, clients were told {tally[told]}")
    for told, name in {**names, "answered": "in"}.items():
        counted = summary[name]
        expect(counted == tally[told], f"{name}: {counted} in the summary, clients were told {tally[told]}")
    check = subprocess.run([service.program, "journal", "check", service.out], capture_output=True, text=True)
    expect(check.returncode == 0, f"journal check: {check.stdout}{check.stderr}")
    refused = metrics["pairgate_requests_refused_total"]
    expect(refused == tally["refused"], f"refused: {refused} in /metrics, clients were told {tally['refused']}")
    print(f"clients, /metrics and summary agree: {dict(tally)}")


def run(program, folder, args):
    service = Service(program, folder)
    try:
        load = Load(service.address, Pairs(args.images))
        load.run(4, 0, 2)  # Everything is loaded then.
        capacity, ratio = measure(load, min(20.0, args.seconds / 12))
        expect(args.told or ratio <= 4, f"p99 at half of the capacity is {ratio:.1f} times a pair's time alone")
        overload(service, load, capacity, args.seconds)
        metrics = service.metrics()
        add_up(service, load.tally, metrics, service.end())
    finally:
        if service.process.poll() is None:
            service.process.kill()
            service.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].rstrip(":"))
    parser.add_argument("program", type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--seconds", type=float, default=1800, help="time at twice the capacity [1800]")
    parser.add_argument("--images", default=HERE / "data" / "pairs", help="folder of the .jpg pictures that are sent")
    parser.add_argument("--told", action="store_true", help="tell the times, do not hold them")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="pg-load-"))
    try:
        run(args.program, folder, args)
    except Fault as fault:
        sys.exit(f"FAILED: {fault}\n{folder} has all of it")
    shutil.rmtree(folder)
    print("ok")


if __name__ == "__main__":
    main()
