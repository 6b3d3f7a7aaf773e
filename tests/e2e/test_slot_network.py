"""Networked slots on real engines: HTTPS to hosts that are allowed, by way of the proxy, and to nobody else."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pitchey_cli.domain.egress import Egress, parse_patterns
from processors.code.languages import Prepared, prepare
from processors.code.verdict import Verdict
from processors.specs import CodeSpec
from tests.resources.networks import Network, network, site, slot_ground
from tests.resources.slots import Done, Ground


@pytest.fixture(scope="module", params=["docker", "podman"])
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    yield from slot_ground(request.param, tmp_path_factory.mktemp("engine"))


@pytest.fixture(params=["auto", "off"], ids=["landlock", "no-landlock"])
def landlock(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with site() as found:
        yield found


@contextmanager
def out(directory: Path, port: int, **changes: Any) -> Iterator[Network]:
    """A way out to allowed.example alone, which is on this machine."""
    addresses = {"allowed.example": ["127.0.0.1"], "other.example": ["127.0.0.1"], **changes.pop("addresses", {})}
    allowed = parse_patterns(changes.pop("allowed", f"allowed.example:{port}"), where="allowed")
    egress = Egress(allowed, allows_this_host=changes.pop("allows_this_host", True))
    with network(directory / "proxy", egress, addresses=addresses, **changes) as found:
        yield found


def job(language: str, code: str, port: int, **fields: Any) -> Prepared:
    spec = {"language": language, "code": code.replace("PORT", str(port)), "timeout": 15, "allowNetworking": True}
    return prepare(CodeSpec.model_validate({**spec, **fields}), has_ca_bundle=True)


ASK = {
    "python": """import urllib.request
for url in "https://allowed.example:PORT/", "https://other.example:PORT/", "http://allowed.example/":
    try:
        print(urllib.request.urlopen(url, timeout=9).read().decode())
    except OSError as error:
        print(error)
""",
    "javascript": """const get = (url) => new Promise((done) => require(url.split(":")[0]).get(url, (answer) => {
  let text = ""; answer.on("data", (data) => text += data).on("end", () => done(text));
}).on("error", (error) => done(error.message)));
const ask = (url) => fetch(url).then((answer) => answer.text()).catch((error) => error.cause.message);
async function main() {
  for (const how of [ask, get])
    for (const url of ["https://allowed.example:PORT/", "https://other.example:PORT/", "http://allowed.example/"])
      console.log(await how(url));
}
""",
    "go": """package main
import ("fmt"; "io"; "net/http")
func main() {
    for _, url := range []string{
        "https://allowed.example:PORT/", "https://other.example:PORT/", "http://allowed.example/",
    } {
        answer, err := http.Get(url)
        if err != nil { fmt.Println(err); continue }
        text, _ := io.ReadAll(answer.Body)
        fmt.Println(string(text))
    }
}
""",
}


@pytest.mark.by_turns("landlock")
@pytest.mark.parametrize("language", ASK)
def test_a_program_asks_who_is_allowed_and_is_told_why_others_are_not(
    language: str, ground: Ground, landlock: str, port: int, tmp_path: Path
) -> None:
    with out(tmp_path, port) as proxy:
        done = ground.run(job(language, ASK[language], port), landlock, proxy.extra)
    assert done.verdict is Verdict.OK, done.stderr
    lines = [line for line in done.stdout.decode().splitlines() if line]
    assert len(lines) == (6 if language == "javascript" else 3)
    for at in range(0, len(lines), 3):
        assert lines[at] == f"hello from allowed.example:{port}"
        assert (
            "ther.example is not among the hosts that may be reached; code.allowed_hosts could allow it"
            in lines[at + 1]
        )
        assert "HTTPS only" in lines[at + 2]
    visits = [visit for visit in proxy.visits if visit.target and visit.target.host == "allowed.example"]
    assert visits
    assert all(visit.is_allowed and visit.sent_bytes > 0 for visit in visits)


def test_who_may_not_use_the_network_has_none(ground: Ground, port: int, tmp_path: Path) -> None:
    done = ground.run(job("python", ASK["python"], port, allowNetworking=False))
    assert b"hello" not in done.stdout


#: Ways out that are none. Each prints a line that starts with ESCAPED if it works.
BURGLAR = r"""
import errno, os, socket, struct
def attempt(name, action):
    try:
        print("ESCAPED", name, action())
    except OSError as error:
        print("BLOCKED", name, error)
def connect(family, kind, address):
    with socket.socket(family, kind) as s:
        s.settimeout(2)
        s.connect(address)
        s.send(b"\0" * 40)
        return s.recv(1)
def by_proxy(target):
    with socket.create_connection(("127.0.0.1", 3128), 5) as s:
        s.settimeout(5)
        s.sendall(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode())
        line = s.recv(400).split(b"\r\n")[0]
        if b" 200 " not in line:
            raise OSError(line.decode())
        return line
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
query = struct.pack(">HHHHHH", 1, 256, 1, 0, 0, 0) + b"\x07allowed\x07example\0\0\1\0\1"
def dns(server):
    with socket.socket(socket.AF_INET, UDP) as s:
        s.settimeout(1)
        s.sendto(query, (server, 53))
        return s.recv(512)
for address in ("169.254.169.254", "10.0.0.1", "172.17.0.1", "192.168.1.1", "127.0.0.1", "1.1.1.1"):
    for port in (80, 443, HOSTPORT):
        attempt(f"tcp {address}:{port}", lambda: connect(socket.AF_INET, TCP, (address, port)))
    attempt(f"udp {address}", lambda: connect(socket.AF_INET, UDP, (address, 53)))
    attempt(f"dns {address}", lambda: dns(address))
    attempt(f"proxy {address}", lambda: by_proxy(f"{address}:443"))
attempt("tcp ::1", lambda: connect(socket.AF_INET6, TCP, ("::1", HOSTPORT)))
attempt("a name", lambda: socket.getaddrinfo("allowed.example", 443))
for target in (
    "127.0.0.1:HOSTPORT", "localhost:HOSTPORT", "[::1]:HOSTPORT", "[::ffff:127.0.0.1]:HOSTPORT", "127.1:HOSTPORT",
    "2130706433:443", "0x7f000001:443", "0177.0.0.1:443", "[fd00:ec2::254]:443", "[::ffff:169.254.169.254]:443",
    "allowed.example:22", "allowed.example:80", "allowed.example:HOSTPORT", "metadata.example:443", "lan.example:443",
    "mapped.example:443", "nat.example:443", "allowed.example@169.254.169.254:443", "allowed.example:443:HOSTPORT",
    "169.254.169.254\r\nHost: allowed.example:443", "x" * 9000 + ":443",
):
    attempt(f"proxy {target[:40]!r}", lambda: by_proxy(target))
for path in ("/var/run/docker.sock", "/run/podman/podman.sock", "/run/systemd/private", "/run/dbus/system_bus_socket"):
    attempt(path, lambda: connect(socket.AF_UNIX, TCP, path))
attempt("the proxy's directory", lambda: open("/run/pitchey-proxy/mine", "w"))
attempt("the proxy's socket", lambda: os.unlink("/run/pitchey-proxy/proxy.sock"))
attempt("the forwarder's port", lambda: socket.create_server(("127.0.0.1", 3128), reuse_port=True))
"""


def test_nothing_but_the_proxy_leads_out(ground: Ground, landlock: str, port: int, tmp_path: Path) -> None:
    addresses = {
        "metadata.example": ["169.254.169.254"],
        "lan.example": ["10.0.0.1"],
        "mapped.example": ["::ffff:10.0.0.1"],
        "nat.example": ["64:ff9b::a00:1"],
    }
    with (
        out(tmp_path, port, allowed="*", addresses=addresses, allows_this_host=False) as proxy,
        socket.create_server(("0.0.0.0", 0)) as service,
    ):
        service.setblocking(False)
        code = BURGLAR.replace("HOSTPORT", str(service.getsockname()[1]))
        done = ground.run(job("python", code, port, timeout=60), landlock, proxy.extra)
        with pytest.raises(BlockingIOError):
            service.accept()  # nobody has come
    assert done.verdict is Verdict.OK, done.stderr
    lines = done.stdout.decode().splitlines()
    assert [line for line in lines if not line.startswith("BLOCKED")] == []
    assert len(lines) > 60
    assert not any(visit.is_allowed for visit in proxy.visits)


def test_with_landlock_a_program_connects_to_the_proxy_and_to_no_other_port(
    ground: Ground, port: int, tmp_path: Path
) -> None:
    code = "import socket\ns = socket.create_server(('127.0.0.1', 0))\nsocket.create_connection(s.getsockname(), 2)\n"
    with out(tmp_path, port) as proxy:
        slot = ground.slot(extra=proxy.extra)
        has_ports = slot.ready.landlock >= 4
        slot.remove()
        done = ground.run(job("python", code, port), extra=proxy.extra)
    assert (b"PermissionError" in done.stderr) is has_ports


@pytest.mark.by_turns("landlock")
def test_the_forwarder_is_out_of_reach_and_ends_with_the_program(
    ground: Ground, landlock: str, port: int, tmp_path: Path
) -> None:
    code = """import os, signal, urllib.request
mine = {os.getpid(), os.getppid()}
found = [int(p) for p in os.listdir("/proc") if p.isdecimal() and int(p) not in mine | {1}]
for pid in found:
    for act in (lambda: os.kill(pid, signal.SIGKILL), lambda: os.listdir(f"/proc/{pid}/fd"),
                lambda: open(f"/proc/{pid}/mem", "rb"), lambda: open(f"/proc/{pid}/environ", "rb").read(1)):
        try:
            act(); print("ESCAPED")
        except OSError:
            print("BLOCKED")
status = dict(line.split(":", 1) for line in open(f"/proc/{found[0]}/status"))
print(status["Uid"].split()[0], status["CapEff"].strip(), status["CapPrm"].strip(), status["NoNewPrivs"].strip())
print(urllib.request.urlopen("https://allowed.example:PORT/").read().decode())
"""
    with out(tmp_path, port) as proxy:
        prepared = job("python", code, port)
        slot = ground.slot(prepared.memory_bytes, landlock, proxy.extra)
        done = slot.give(prepared)
        slot.wait()
        assert slot.processes() == []
        slot.remove()
    assert done.stdout.decode().splitlines() == [
        *["BLOCKED"] * 4,
        f"999 {'0' * 16} {'0' * 16} 1",
        f"hello from allowed.example:{port}",
    ], done.stderr
    assert done.said == ""


@pytest.mark.by_turns("landlock")
def test_a_flood_harms_the_one_who_floods_alone(ground: Ground, landlock: str, port: int, tmp_path: Path) -> None:
    code = """import socket, time, urllib.request
held = []
for n in range(200):
    s = socket.socket(); s.setblocking(False); s.connect_ex(("127.0.0.1", 3128)); held.append(s)
time.sleep(0.5)
for n, s in enumerate(held):
    try: s.send(b"CONN" if n % 2 else b"\\xff" * 100000)
    except OSError: pass
time.sleep(0.5)
for s in held: s.close()
time.sleep(0.5)
print(urllib.request.urlopen("https://allowed.example:PORT/", timeout=9).read().decode())
"""
    with out(tmp_path, port) as proxy:
        done = ground.run(job("python", code, port), landlock, proxy.extra)
    assert done.stdout.decode() == f"hello from allowed.example:{port}\n", (done.stderr, proxy.problems())
    assert done.verdict is Verdict.OK


def test_a_networked_go_program_still_has_the_forwarder_after_its_compiler(
    ground: Ground, port: int, tmp_path: Path
) -> None:
    with out(tmp_path, port) as proxy:
        done = ground.run(job("go", ASK["go"], port), extra=proxy.extra)
    assert b"hello from" in done.stdout


def test_what_the_forwarder_holds_is_not_the_programs(ground: Ground, port: int, tmp_path: Path) -> None:
    code = "def main(): return sum(range(10))"
    ground.run(job("python", code, port, allowNetworking=False))  # who reads a file first is charged for its pages
    with out(tmp_path, port) as proxy:
        with_network = ground.run(job("python", code, port), extra=proxy.extra)
    alone = ground.run(job("python", code, port, allowNetworking=False))
    assert json.loads(with_network.returned) == 45
    assert peak(with_network) < peak(alone) + (4 << 20)  # a forwarder is an interpreter, which takes 8 MiB and more


def peak(done: Done) -> int:
    return done.run.memory_peak_bytes


def test_without_a_proxy_at_the_other_end_a_program_is_told_so(ground: Ground, port: int, tmp_path: Path) -> None:
    with out(tmp_path, port) as proxy:
        pass
    done = ground.run(job("python", ASK["python"], port), extra=proxy.extra)
    assert done.verdict is Verdict.OK, done.stderr
    assert b"hello" not in done.stdout
