"""Every verb of the command line at a server: it works there, or says clearly that it is about a machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pitchey_cli.cli.main import loaded_app
from tests.conftest import RESOURCES, Pitchey
from tests.resources.away import Away
from tests.resources.receiver import receiving

THUMBNAIL = ("--output-format", "thumbnail")
PROGRAM = ("--language", "python", "--code", "print(6 * 7)")
OGG = ("--preset", "ogg")
URLS = ("https://media.example/a.mp4", "https://media.example/b.mp4")
LATER = ("--run-at", "in 8 h", "--batch", "night")
DAILY = ("--cron", "@daily", "--name")

#: about the machine of the daemon by nature, with what each takes
OF_A_MACHINE: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("daemon run", "daemon start", "daemon stop", "daemon drain", "daemon status", "daemon unit"), ()),
    **dict.fromkeys(("images build", "images list", "images prune", "images bootstrap"), ()),
    **dict.fromkeys(("db check", "db vacuum", "db export", "db prune", "db status"), ()),
    "db backup": ("copy.db",), "db copy": ("copy.db",), "db restore": ("copy.db",), "doctor": (), "shell": ("code",),
    "models add": ("far", "net.onnx", "--task", "embedding"), "models warm": ("far",), "models bench": ("far",),
    **dict.fromkeys(("models remove", "models pin", "models unpin", "models verify"), ("far@1",)),
}  # fmt: skip

#: about the command line itself, whatever server is chosen
OF_ITSELF: Mapping[str, tuple[str, ...]] = {
    "config path": (), "config show": (), "config set": ("queue.ageing_seconds", "60"), "config init": ("--overwrite",),
    "config unset": ("queue.ageing_seconds",), "completion": ("bash",), "context list": (), "context show": ("local",),
    "context add": ("other", "http://127.0.0.1:1", "--no-token"), "context use": ("other",),
    "context remove": ("other",),
}  # fmt: skip

#: in this order: what some of them make, others show. {job} is one that has succeeded
AT_A_SERVER: Mapping[str, tuple[str, ...]] = {
    "run video": ("clip.mp4", *THUMBNAIL, "-o", "out", "--quiet"),
    "run document": ("notes.md", "-o", "out"),
    "run media": ("song.mp3", *OGG, "-o", "out"),
    "run inference": ("sentiment", "fine"),
    "run code": (*PROGRAM, "--wait", "0.5"),
    "submit video": (*URLS, *LATER), "submit document": (*URLS, *LATER), "submit media": (*URLS, *OGG, *LATER),
    "submit inference": ("sentiment", "fine", *LATER), "submit code": (*PROGRAM, *LATER),
    "jobs": (), "status": ("{job}",), "why": ("{job}",), "logs": ("{job}",), "wait": ("{job}",),
    "result": ("{job}", "-o", "again"), "events": (), "presets": (), "probe": ("clip.mp4",), "cancel": ("{job}",),
    "top": ("--once",), "metrics": (), "audit": (), "cost": (),
    "batch list": (), "batch status": ("night",), "batch report": ("night",), "batch cancel": ("night",),
    "batch wait": ("night",), "batch retry": ("night",),
    "dlq list": (), "dlq show": ("{dead}",), "dlq retry": ("{dead}",), "dlq purge": ("--all",),
    "pipeline check": ("small.toml", "clip.mp4"),
    "pipeline run": ("small.toml", "clip.mp4", "-o", "steps", "--batch", "walk"),
    "pipeline submit": ("small.toml", "clip.mp4"), "pipeline show": ("walk",),
    "schedule add video": (*URLS, *DAILY, "films"), "schedule add document": (*URLS, *DAILY, "papers"),
    "schedule add media": (*URLS, *OGG, *DAILY, "songs"),
    "schedule add inference": ("sentiment", "ok", *DAILY, "moods"),
    "schedule add code": (*PROGRAM, *DAILY, "sums"), "schedule list": (), "schedule pause": ("films",),
    "schedule resume": ("films",), "schedule run": ("sums",), "schedule remove": ("sums",),
    "budget set": ("500",), "budget list": (), "budget remove": (),
    "nodes list": (), "nodes show": ("{node}",), "nodes drain": ("{node}",), "nodes undrain": ("{node}",),
    "nodes remove": ("{node}",),
    "alerts list": (), "alerts check": (), "alerts test": ("dead_letters",),
    "alerts silence": ("dead_letters", "--for", "1h", "--reason", "known"), "alerts unsilence": ("dead_letters",),
    "instances list": (), "instances warm": ("video",), "instances cool": ("video",),
    "scaling status": (), "scaling explain": (), "scaling history": (),
    "scaling simulate": ("--load", "poisson", "--service", "video", "--rate", "60/h", "--seconds", "5", "--for", "2h"),
    "org add": ("acme",), "org list": (), "org quota": ("acme", "--queued", "9"),
    "role grant": ("ada", "viewer"), "role list": (), "role revoke": ("ada",),
    "webhooks add": ("chat", "{hook}"), "webhooks list": (), "webhooks test": ("chat",),
    "webhooks deliveries": ("chat",),
    "webhooks replay": ("chat", "{message}"), "webhooks rotate": ("chat",), "webhooks disable": ("chat",),
    "webhooks enable": ("chat",), "webhooks remove": ("chat",),
    "models list": (), "models show": ("sentiment",),
    "token add": ("ci", "--role", "admin", "--all-organisations"),
    "token list": (), "org remove": ("acme",), "token revoke": ("ci",),
}  # fmt: skip


@pytest.fixture(autouse=True)
def settings_of_the_server(pitchey: Pitchey) -> None:
    pitchey.environment["PITCHEY_WEBHOOKS_ALLOW_PRIVATE"] = "true"
    pitchey.environment["PITCHEY_ALERTS_RULES"] = "queue_wait=off,disk_free=off"  # those are about this machine


#: what ends otherwise by nature: there is no model there, this engine runs no programs, which fires
#: an alert, and the night was cancelled
OTHER_CODES = {"run inference": 1, "run code": 5, "batch wait": 6, "nodes remove": 2}


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    if hasattr(command, "list_commands"):
        for name in command.list_commands(None):
            yield from leaves(command.get_command(None, name), (*path, name))
    else:
        yield " ".join(path)


def test_every_verb_is_walked_here() -> None:
    walked = [*OF_A_MACHINE, *OF_ITSELF, *AT_A_SERVER]
    assert sorted(walked) == sorted(leaves(loaded_app())), "a verb that comes later says here where it works"


def test_what_is_about_a_machine_says_so_and_does_nothing(far: Away) -> None:
    for verb, arguments in OF_A_MACHINE.items():
        answer = far.away(*verb.split(), *arguments)
        assert answer.code == 2 and answer.out == "", (verb, answer)
        assert f"`pitchey {verb.split()[0]}` works at the machine of the daemon alone" in answer.err, (verb, answer)
        assert "--context local" in answer.err and not far.away.state_dir.exists(), verb


def test_what_is_about_the_command_line_itself_works_whatever_server_is_chosen(far: Away) -> None:
    for verb, arguments in OF_ITSELF.items():
        answer = far.away(*verb.split(), *arguments)
        assert answer.code == 0, (verb, answer)


def test_every_other_verb_works_at_a_server(far: Away, clip: Path) -> None:
    (far.folder() / "clip.mp4").write_bytes(clip.read_bytes())
    (far.folder() / "song.mp3").write_bytes(next(RESOURCES.glob("audio/*.mp3")).read_bytes())
    (far.folder() / "broken.mp4").write_bytes(b"no film at all")
    (far.folder() / "notes.md").write_text("# Notes\n\nOf one page.\n")
    steps = '[steps.small]\nservice="video"\ninput="@input"\noutputFormat="thumbnail"\n'
    (far.folder() / "small.toml").write_text(steps)
    wrong = []
    with receiving() as heard:
        known = {"job": "@last", "hook": heard.url(), "node": far.here.ok("nodes", "list", "--json").json["id"]}
        for verb, arguments in AT_A_SERVER.items():
            answer = far.away(*verb.split(), *(each.format(**known) for each in arguments))
            if answer.code != OTHER_CODES.get(verb, 0) or "alone" in answer.err:
                wrong.append((verb, answer))
            if verb == "run video":
                known["job"] = far.away.ok("jobs", "--ids").lines[0]
                assert far.away("run", "video", "broken.mp4", *THUMBNAIL).code == 1
                known["dead"] = far.away.ok("dlq", "list", "--json").json["id"]
            if verb == "webhooks deliveries":
                (sent,) = heard.at("/hooks")
                known["message"] = sent.id
            if verb == "token add":  # from now on it takes one
                far.away.environment["PITCHEY_TOKEN"] = answer.lines[0]
    assert not wrong, "\n".join(map(str, wrong))
    assert not far.away.state_dir.joinpath("pitchey.db").exists(), "nothing is kept where the command runs"
