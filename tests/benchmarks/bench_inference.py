"""What 500 texts cost as 500 jobs, beside a bare onnxruntime loop, and beside Pitchey without batching.

    python tests/benchmarks/bench_inference.py [--short] [--engine process|docker] [--jobs 500] [--slots 48]

A whole Pitchey with a daemon. The texts are one job each, all submitted in one transaction, to a model as it ships and
to one whose manifest says that its batches have one text; then they are the list of one job. The peer is one process
that has the tokenizer, the two models of `sentiment` and the texts in memory, and nothing else: the best of several
batch sizes. Beside it stand as many such loops as there are processors, in one process, with one thread for each run.
All in turns, with the time by the clock and, on the engine `process`, that of the processors, which other
work on the machine changes less. `--short` leaves out what hardly differs: it is one round of 200 texts, three of the
batch sizes, ten single texts and the memory of two models.

Before that: the first answer of an instance that is not there yet, what a loaded model takes of memory, and one text
after the other on a warm instance beside the bare call. Docker needs PITCHEY_TEST_DOCKER, and the image.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
import psutil
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the models of the tests are one of their resources

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.daemon import lock
from pitchey_cli.domain import layout
from pitchey_cli.domain.job import JobState
from pitchey_cli.operations import follow, submit
from pitchey_cli.operations.drafts import drafted
from pitchey_cli.store.sqlite import SqliteStore
from processors.inference.frameworks import registry
from processors.inference.memory import give_back
from processors.inference.repository import Repository
from processors.inference.serving.ready import made_ready
from processors.vocabulary import Service
from tests.resources.models import default_models

ROOT = Path(__file__).resolve().parents[2]
SIZES = (1, 2, 4, 8, 16, 32)
SHORT_SIZES = (1, 8, 16)
_LOOPS_SIZE = 16
_WARMING = 64  # texts
SINGLES, SHORT_SINGLES = 40, 10
LOADED = ("embeddings", "sentiment", "classify", "moderate-image", "moderate-text", "entities", "generate")
BEGINNINGS = (
    "The battery", "This phone", "My new kettle", "The hotel room", "The film", "The pasta", "Their support",
    "The second season", "Every single page", "The delivery", "The screen", "The main actor",
)  # fmt: skip
ENDS = (
    "is wonderful.", "broke after two days.", "was far better than I had expected from such a cheap thing.",
    "is a complete waste of money, and nobody answers my letters.", "arrived on Tuesday.",
    "does what it says.", "made me laugh out loud more than once, and I would gladly pay for it again.",
    "is slow, loud and ugly.", "could not have been nicer to us.", "left me cold.", "is fine, I suppose.",
)  # fmt: skip


def texts(count: int) -> list[str]:
    """Reviews of 4 to 20 words, no two alike."""
    pairs = [f"{beginning} {end}" for end in ENDS for beginning in BEGINNINGS]
    return [f"{pairs[number % len(pairs)]} {number}" for number in range(count)]


# --- the peer


class Bare:
    """Tokenizer and models in this process, with nothing around them."""

    def __init__(self, models: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._body, self._head = (
            onnxruntime.InferenceSession(str(models / name / "1" / "model.onnx"), options) for name in
            ("embeddings", "sentiment")
        )  # fmt: skip
        self._tokenizer = Tokenizer.from_file(str(models / "embeddings" / "1" / "tokenizer.json"))
        self._tokenizer.enable_truncation(256)
        self._tokenizer.enable_padding()

    def answer(self, texts: Sequence[str]) -> list[float]:
        """One number for each text."""
        codes = self._tokenizer.encode_batch(list(texts))
        ids, mask, types = (
            np.array([getattr(code, name) for code in codes], np.int64)
            for name in ("ids", "attention_mask", "type_ids")
        )
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        (hidden,) = self._body.run(None, given)
        weights = mask[..., None].astype(np.float32)
        vectors = (hidden * weights).sum(1) / weights.sum(1)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        (logits,) = self._head.run(None, {"embedding": vectors})
        return [float(each) for each in logits[:, 0]]

    def loop(self, texts: Sequence[str], size: int) -> None:
        """All texts, those of about one length together."""
        ordered = sorted(texts, key=len)
        for start in range(0, len(ordered), size):
            self.answer(ordered[start : start + size])


class BareLoops:
    """Loops side by side, that share the models and the texts: no run waits for the threads of another."""

    def __init__(self, models: Path, count: int) -> None:
        self._bare = Bare(models, 1)
        self._threads = ThreadPoolExecutor(count)

    def loop(self, texts: Sequence[str], size: int) -> None:
        """All texts, those of about one length together."""
        ordered = sorted(texts, key=len)
        parts = [ordered[start : start + size] for start in range(0, len(ordered), size)]
        list(self._threads.map(self._bare.answer, parts))


# --- Pitchey


class Running:
    """A state directory with a daemon, and what it costs."""

    def __init__(self, state: Path, models: Path, engine: str, slots: int, *, has_batches: bool) -> None:
        self.state = state
        shutil.copytree(models / "embeddings", state / "models" / "embeddings")
        shutil.copytree(models / "sentiment", state / "models" / "sentiment")
        manifest = state / "models" / "embeddings" / "1" / "manifest.json"
        said = json.loads(manifest.read_text())
        said["batching"]["maxSize"] = said["batching"]["maxSize"] if has_batches else 1
        manifest.write_text(json.dumps(said))
        self._environment = os.environ | {
            "PITCHEY_STATE_DIR": str(state),
            "PITCHEY_ENGINE_KIND": engine,
            "PITCHEY_ENGINE_URL": os.environ.get("PITCHEY_TEST_DOCKER", "") if engine == "docker" else "",
            "PITCHEY_SERVICES_INFERENCE_SLOTS": str(slots),
            "PITCHEY_SERVICES_INFERENCE_MAX_INSTANCES": "1",
            "PYTHONPATH": str(ROOT),
        }
        self.has_processes = engine == "process"  #: whose use of the processors can be seen from here
        self._daemon: subprocess.Popen[str] | None = None

    def __enter__(self) -> Running:
        pitchey = [sys.executable, "-m", "pitchey_cli"]
        if not self.has_processes:
            subprocess.run([*pitchey, "images", "build", "inference"], env=self._environment, check=True)
        command = [*pitchey, "daemon", "run"]
        self._daemon = subprocess.Popen(command, env=self._environment, stderr=subprocess.PIPE, text=True)
        assert self._daemon.stderr is not None
        if not any(line.rstrip().endswith(" ready") for line in self._daemon.stderr):
            raise SystemExit("The daemon did not start.")
        self.store = SqliteStore.open(layout.database(self.state))
        self._artifacts = LocalArtifacts(layout.artifacts(self.state))
        return self

    def __exit__(self, *_: object) -> None:
        assert self._daemon is not None
        self._daemon.terminate()
        self._daemon.communicate()
        self.store.close()

    def answer(self, texts: Sequence[str]) -> float:
        """Run each text as a job, all submitted at once; the seconds until the last end was recorded."""
        return self._run(list(texts))

    def answer_in_one(self, texts: Sequence[str]) -> float:
        """Run all of them as one job."""
        return self._run([list(texts)])

    def _run(self, data: Sequence[str | list[str]]) -> float:
        settings = submit.JobSettings(max_attempts=1, timeout_seconds=600)
        drafts = [drafted(Service.INFERENCE, {"model": "sentiment", "inputData": each}, None) for each in data]
        began = datetime.now(UTC)
        jobs = submit.stage(drafts, self._artifacts, lambda _: settings, limit_bytes=2**30)
        ids = submit.submit(self.store, jobs, now=began, artifacts=self._artifacts)
        lock.poke(self.state)
        ended = follow.until_finished(self.store, ids, on_change=lambda job: None)
        assert all(job.state is JobState.SUCCEEDED for job in ended), [job.error for job in ended if job.error]
        return max((job.finished_at - began).total_seconds() for job in ended if job.finished_at is not None)

    def cpu_seconds(self) -> dict[str, float]:
        """What the daemon, the worker with its attempts, and the companion have used of the processors so far."""
        assert self._daemon is not None
        daemon = psutil.Process(self._daemon.pid)
        found = {"daemon": _own(daemon), "worker": 0.0, "attempts": 0.0, "companion": 0.0}
        for worker in daemon.children():
            times = worker.cpu_times()
            found["worker"] += _own(worker)
            found["attempts"] += times.children_user + times.children_system
            found["companion"] += sum(_own(each) for each in worker.children())
        return found

    def memory_bytes(self) -> dict[str, int]:
        """What is theirs alone, now."""
        assert self._daemon is not None
        found = {"daemon": psutil.Process(self._daemon.pid).memory_full_info().uss}
        for worker in psutil.Process(self._daemon.pid).children():
            found["worker"] = worker.memory_full_info().uss
            for companion in worker.children():
                found["companion"] = companion.memory_full_info().uss
        return found


def _own(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


# --- what is measured


@dataclass
class Measured:
    """A side's rounds."""

    name: str
    seconds: list[float]
    cpu_seconds: list[float]
    parts: dict[str, float]

    def row(self, count: int, peer: Measured) -> str:
        rate, theirs = (count / statistics.median(each.seconds) for each in (self, peer))
        cpu = statistics.median(self.cpu_seconds) / count * 1000 if self.cpu_seconds else float("nan")
        parts = ", ".join(f"{name} {value / count * 1000:.1f}" for name, value in self.parts.items())
        return f"{self.name:34} {rate:8.0f} /s {rate / theirs:7.2f} {cpu:8.1f} ms  {parts}"


def bulk(
    bare: Bare,
    loops: BareLoops,
    batched: Running,
    apart: Running,
    count: int,
    rounds: int,
    sizes: Sequence[int] = SIZES,
) -> None:
    """All texts at once."""
    peers = {f"bare, batches of {size}": (bare.loop, size) for size in sizes}
    beside = {f"bare loops, batches of {_LOOPS_SIZE}": (loops.loop, _LOOPS_SIZE)}
    sides = {
        "jobs": (batched, batched.answer),
        "jobs, one text in a batch": (apart, apart.answer),
        "one job with a list": (batched, batched.answer_in_one),
    }
    found = {name: Measured(name, [], [], {}) for name in (*peers, *beside, *sides)}
    given = texts(count)
    for side in (batched, apart):
        side.answer(given[:_WARMING])  # the first of many at once have a model made ready for that
    for _ in range(rounds):
        for name, (loop, size) in (peers | beside).items():
            each = found[name]
            began, cpu = time.perf_counter(), time.process_time()
            loop(given, size)
            each.seconds.append(time.perf_counter() - began)
            each.cpu_seconds.append(time.process_time() - cpu)
        for name, (side, answer) in sides.items():
            before = side.cpu_seconds()
            found[name].seconds.append(answer(given))
            after = side.cpu_seconds()
            if side.has_processes:
                found[name].parts = {part: after[part] - before[part] for part in after}
                found[name].cpu_seconds.append(sum(found[name].parts.values()))
    best = min((found[name] for name in peers), key=lambda each: statistics.median(each.seconds))
    print(f"{'':34} {'texts':>11} {'ratio':>7} {'processor':>11}  of which")  # noqa: T201
    for each in found.values():
        print(each.row(count, best))  # noqa: T201


def singles(bare: Bare, side: Running, count: int = SINGLES) -> None:
    """One text after the other."""
    given = texts(count)
    side.answer(given[:1])
    ours, theirs = [], []
    for text in given:
        ours.append(side.answer([text]))
        began = time.perf_counter()
        bare.answer([text])
        theirs.append(time.perf_counter() - began)
    ours_p50, theirs_p50 = statistics.median(ours) * 1000, statistics.median(theirs) * 1000
    more = ours_p50 - theirs_p50
    print(f"one text, warm, p50: {ours_p50:.1f} ms, bare {theirs_p50:.1f}: {more:.1f} ms more (aim: 15)")  # noqa: T201


def memory(models: Path, names: Sequence[str] = LOADED) -> None:
    """What one form of each model takes of memory, when it has run, beside what its manifest says."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for name in names:
            taken, said = pool.apply(_memory_of, (models, name))
            print(f"memory of {name}: {taken / 2**20:.0f} MiB in one form, and its manifest says {said / 2**20:.0f}")  # noqa: T201


def _memory_of(models: Path, name: str) -> tuple[int, int]:
    entry = Repository([models]).find(name)
    framework = entry.manifest.framework
    importlib.import_module(f"processors.inference.frameworks.{framework}")
    before = psutil.Process().memory_full_info().uss
    loaded = made_ready(registry.load(entry, 2), entry.manifest)
    give_back()
    taken = psutil.Process().memory_full_info().uss - before
    loaded.close()
    return taken, entry.manifest.resources.memory_bytes


@contextmanager
def pitchey(models: Path, engine: str, slots: int, *, has_batches: bool) -> Iterator[Running]:
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as directory,
        Running(Path(directory), models, engine, slots, has_batches=has_batches) as running,
    ):
        yield running


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", default="process", choices=("process", "docker"))
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--slots", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--short", action="store_true")
    chosen = parser.parse_args()
    if chosen.short:
        chosen.jobs, chosen.rounds = min(chosen.jobs, 200), 1
    models = default_models()
    memory(models, LOADED[:2] if chosen.short else LOADED)
    cpus = len(os.sched_getaffinity(0))
    bare, loops = Bare(models, cpus), BareLoops(models, cpus)
    with (
        pitchey(models, chosen.engine, chosen.slots, has_batches=True) as batched,
        pitchey(models, chosen.engine, chosen.slots, has_batches=False) as apart,
    ):
        firsts = [side.answer(texts(1)) for side in (batched, apart)]
        print(f"the first answer, from nothing: {min(firsts):.2f} and {max(firsts):.2f} s")  # noqa: T201
        for name, size in batched.memory_bytes().items():
            print(f"memory of the {name} alone: {size / 2**20:.0f} MiB")  # noqa: T201
        singles(bare, batched, SHORT_SINGLES if chosen.short else SINGLES)
        bulk(bare, loops, batched, apart, chosen.jobs, chosen.rounds, SHORT_SIZES if chosen.short else SIZES)


if __name__ == "__main__":
    main()
