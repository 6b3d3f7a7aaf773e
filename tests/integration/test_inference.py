"""Real models through a real worker: what they say of texts and pictures that anybody can judge."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image, ImageOps

from tests.resources.models import default_models
from tests.resources.oracle import ASTRONAUT, CHELSEA, COFFEE, Oracle
from tests.resources.waiting import until
from tests.resources.workers import Worker, is_alive


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    home = tmp_path_factory.mktemp("inference")
    with Worker(home, "--slots", "2", "--models", str(default_models()), service="inference") as worker:
        yield Oracle(worker)


# --- texts


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I absolutely love this phone, the battery lasts for days.", "POSITIVE"),
        ("Terrible. It broke after two days and nobody answers.", "NEGATIVE"),
        ("The meeting starts at ten.", "NEUTRAL"),
        ("He parked the car in front of the house.", "NEUTRAL"),
    ],
)
def test_a_text_is_positive_negative_or_neither(oracle: Oracle, text: str, label: str) -> None:
    scores = oracle.ask("sentiment", text)
    assert scores[0]["label"] == label
    assert sum(each["score"] for each in scores) == pytest.approx(1, abs=1e-4)
    assert [each["score"] for each in scores] == sorted((each["score"] for each in scores), reverse=True)


def test_every_answer_about_sentiment_has_the_same_three_labels(oracle: Oracle) -> None:
    answers = oracle.ask("sentiment", ["I love it", "It is okay", "The meeting starts at ten."])
    assert [{each["label"] for each in answer} for answer in answers] == [{"POSITIVE", "NEGATIVE", "NEUTRAL"}] * 3


def test_an_answer_says_what_gave_it_and_what_that_took(oracle: Oracle) -> None:
    envelope = oracle.envelope("sentiment@1", "It is great.")
    assert [envelope[key] for key in ("model", "version", "task", "device")] == [
        "sentiment", "1", "text-classification", "cpu",
    ]  # fmt: skip
    assert envelope["usage"] == {"inputs": 1, "tokens": 6}
    assert 0 < envelope["timings"]["runSeconds"] < envelope["timings"]["totalSeconds"]


def in_a_group(oracle: Oracle, specs: list[dict[str, object]]) -> list[dict[str, Any]]:
    """How attempts end that are started together."""
    limits = {"service": "inference", "timeoutSeconds": 60, "outputLimitBytes": 10_000, "inlineBytes": 5_000}
    oracle.envelope("sentiment", "The companion is there, and has the model.")
    tokens = [f"group{next(COUNT)}.1" for _ in specs]
    attempts = [{"token": token, "spec": spec, **limits} for token, spec in zip(tokens, specs, strict=True)]
    answer = oracle.worker.http.post("/groups", json={"attempts": attempts})
    ended = {line["token"]: line["event"] for line in map(json.loads, answer.content.splitlines())}
    return [ended[token] for token in tokens]


COUNT = iter(range(1_000_000))


def test_two_jobs_that_are_answered_at_once_are_answered_as_each_alone(oracle: Oracle) -> None:
    texts = ["I love it so much, really, every part of it, and all that came with it", "Awful."]
    found = in_a_group(oracle, [{"model": "sentiment", "inputData": text} for text in texts])
    for text, ending in zip(texts, found, strict=True):
        alone = oracle.envelope("sentiment", text)
        said = json.loads(ending["result"]["outputs"][0]["text"])
        assert said["usage"] == alone["usage"]
        assert [each["label"] for each in said["output"]] == [each["label"] for each in alone["output"]]
        scores = [each["score"] for each in alone["output"]]
        assert [each["score"] for each in said["output"]] == pytest.approx(scores, abs=0.05)  # of int8 weights
        assert {**said, "output": None} == {**ending["result"]["details"], "output": None}


def test_a_text_of_blanks_fails_alone_whoever_came_with_it(oracle: Oracle) -> None:
    blank, good = in_a_group(oracle, [{"model": "sentiment", "inputData": text} for text in (" ", "Fine.")])
    assert blank["error"]["code"] == "empty_text"
    assert json.loads(good["result"]["outputs"][0]["text"])["task"] == "text-classification"


def test_what_is_asked_of_texts_that_come_together_is_done_for_each(oracle: Oracle) -> None:
    asked: list[dict[str, object]] = [
        {"model": "sentiment", "inputData": "I love it", "outputFormat": "text"},
        {"model": "sentiment", "inputData": "I hate it", "parameters": {"topK": 1}},
        {"model": "sentiment", "inputData": "I hate it", "parameters": {"temperature": 1}},
    ]
    as_text, best, bad = in_a_group(oracle, asked[:2]) + in_a_group(oracle, asked[2:])
    assert as_text["result"]["outputs"][0]["text"].startswith("POSITIVE")
    (label,) = json.loads(best["result"]["outputs"][0]["text"])["output"]
    assert label["label"] == "NEGATIVE"
    assert bad["error"]["code"] == "unknown_parameter"


def test_several_texts_are_answered_in_their_order(oracle: Oracle) -> None:
    answers = oracle.ask("sentiment", ["I hate it", "I love it so much, really, every part of it", "Awful."])
    assert [answer[0]["label"] for answer in answers] == ["NEGATIVE", "POSITIVE", "NEGATIVE"]
    text = oracle.file("sentiment", ["I hate it", "I love it"], outputFormat="text").read_text()
    assert [line.split()[0] for line in text.splitlines()] == ["NEGATIVE", "POSITIVE"]


def test_texts_about_one_thing_lie_close_together(oracle: Oracle, tmp_path: Path) -> None:
    texts = ["How do I reset my password?", "I forgot my login credentials", "The weather is nice today"]
    path = oracle.file("embeddings", texts, outputFormat="binary")
    vectors = np.load(path, allow_pickle=False)
    assert vectors.shape == (3, 384) and vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert vectors[0] @ vectors[1] > 0.6 > 0.2 > vectors[0] @ vectors[2]
    (alone,) = oracle.ask("embeddings", texts[0])
    # The weights are int8: what else is in the batch moves the last digits.
    assert np.array(alone) @ vectors[0] > 0.99


def test_a_file_with_a_text_on_each_line_is_answered_line_by_line(oracle: Oracle, tmp_path: Path) -> None:
    many = tmp_path / "reviews.jsonl"
    lines = [json.dumps({"id": f"r{n}", "text": "I love it" if n % 2 else "I hate it"}) for n in range(150)]
    many.write_text("\n".join([*lines, '"It is wonderful"', ""]))
    out = oracle.file("sentiment", many)
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert out.name == "inference.jsonl" and len(answers) == 151
    assert [answer["id"] for answer in answers[:2]] == ["r0", "r1"] and answers[150]["id"] == "151"
    assert [answer["output"][0]["label"] for answer in answers[:2]] == ["NEGATIVE", "POSITIVE"]


def test_a_long_text_is_read_to_its_end(oracle: Oracle) -> None:
    boring, bad = (
        "The hall has ten doors and nine windows. " * 40,
        "It was awful and I hated every minute of it. " * 120,
    )
    answer = oracle.envelope("sentiment", boring + bad)
    assert answer["output"][0]["label"] == "NEGATIVE" and answer["usage"]["tokens"] > 1000 and "notes" not in answer
    assert oracle.ask("sentiment", boring)[0]["label"] != "NEGATIVE"


def test_a_text_that_is_too_long_to_be_read_whole_is_told(oracle: Oracle) -> None:
    answer = oracle.envelope("embeddings", "The hall has ten doors and nine windows. " * 2000)
    assert answer["notes"] == ["A text was longer than the 16384 tokens that embeddings reads: the rest did not count."]


# --- pictures


def test_a_picture_is_told_by_what_it_shows(oracle: Oracle) -> None:
    best = oracle.ask("classify", COFFEE)[0]
    assert best["label"] == "espresso" and best["score"] > 0.6
    cats = oracle.ask("classify", CHELSEA, topK=3)
    assert len(cats) == 3 and all("cat" in each["label"] for each in cats[:2])
    assert oracle.ask("classify", CHELSEA, threshold=0.99) == []


def test_pictures_by_name_are_answered_together(oracle: Oracle) -> None:
    answers = oracle.ask("classify", {"b.jpg": CHELSEA, "a.jpg": COFFEE})
    assert [("cat" in answer[0]["label"]) for answer in answers] == [True, False]


def test_harmless_pictures_are_not_objected_to(oracle: Oracle) -> None:
    for picture in (COFFEE, CHELSEA, ASTRONAUT):
        answer = oracle.ask("moderate-image", picture)
        assert answer["flagged"] is False
        assert {each["label"]: each["score"] for each in answer["categories"]}["nsfw"] < 0.1
    assert oracle.ask("moderate-image", CHELSEA, threshold=0)["flagged"] is True


# --- what cannot be


@pytest.mark.parametrize(
    ("model", "data", "spec", "code", "says"),
    [
        ("sentimnt", "x", {}, "no_such_model", "Did you mean 'sentiment'?"),
        ("sentiment@9", "x", {}, "no_such_version", "It has 1."),
        ("sentiment", " \n", {}, "empty_text", "The text holds nothing but blanks."),
        ("sentiment", {"a": 1}, {}, "wrong_input", "takes a text, or a list of texts"),
        ("sentiment", [], {}, "wrong_input", "takes a text, or a list of texts"),
        ("sentiment", COFFEE, {}, "not_a_text", "coffee.jpg is no UTF-8 text"),
        ("classify", "phto.jpg", {}, "not_a_picture", "'phto.jpg' is no file"),
        ("sentiment", "x", {"parameters": {"temperature": 1}}, "unknown_parameter", "It takes threshold, topK."),
        ("sentiment", "x", {"outputFormat": "binary"}, "no_tensors", "Ask for json or text."),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    oracle: Oracle, model: str, data: object, spec: dict[str, object], code: str, says: str
) -> None:
    error = oracle.failure(model, data, **spec)
    assert (error["code"], error["reason"], error["retryable"]) == (code, "rejected", False), error
    assert says in f"{error['message']} {error.get('hint', '')}"


def test_a_picture_that_is_none_or_broken_is_named(oracle: Oracle, tmp_path: Path) -> None:
    text, cut, bomb = tmp_path / "a.jpg", tmp_path / "cut.jpg", tmp_path / "bomb.png"
    text.write_text("no picture")
    cut.write_bytes(COFFEE.read_bytes()[:9000])
    Image.new("1", (20_000, 20_000)).save(bomb)
    codes = ("not_a_picture", "damaged_picture", "picture_too_large")
    for path, code in zip((text, cut, bomb), codes, strict=True):
        error = oracle.failure("classify", path)
        assert error["code"] == code and error["message"].startswith(path.name), error


def test_a_bad_line_of_many_is_named(oracle: Oracle, tmp_path: Path) -> None:
    many = tmp_path / "many.jsonl"
    many.write_text('"fine"\n{"txt": "x"}\n')
    error = oracle.failure("sentiment", many)
    assert error["code"] == "not_json_lines" and "many.jsonl, line 2, has no text." in error["message"]


# --- the companion


def test_an_instance_says_which_models_it_has_loaded(oracle: Oracle) -> None:
    oracle.ask("sentiment", "fine")
    health = oracle.worker.http.get("/health").json()
    assert {"sentiment@1", "embeddings@1"} <= {*health["loadedModels"]} == {*health["modelBytes"]}
    assert (health["modelBytes"]["sentiment@1"], health["modelBytes"]["embeddings@1"]) == (4 * 2**20, 192 * 2**20)


def test_a_companion_that_dies_is_started_anew(oracle: Oracle) -> None:
    oracle.ask("sentiment", "I love it")
    worker = psutil.Process(oracle.worker.pid)
    until(lambda: len(worker.children()) == 1, "the attempt has ended, and the companion is there alone")
    companion = worker.children()[0].pid

    os.kill(companion, signal.SIGKILL)
    until(lambda: not is_alive(companion), "the companion has died")
    assert oracle.ask("sentiment", "I love it")[0]["label"] == "POSITIVE"


# --- labels of the job's own


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The striker scored twice in the cup final", "sports"),
        ("Parliament voted to raise the tax on fuel", "politics"),
        ("The new GPU doubles memory bandwidth", "technology"),
        ("Doctors recommend the vaccine for older adults", "health"),
        ("The central bank cut interest rates by a quarter point", "finance"),
        ("Bake the bread for forty minutes until golden", "food"),
    ],
)
def test_a_text_is_put_under_the_label_that_it_is_about(oracle: Oracle, text: str, label: str) -> None:
    labels = ["sports", "politics", "technology", "health", "finance", "food"]
    found = oracle.ask("zero-shot", text, labels=labels)
    assert found[0]["label"] == label and {each["label"] for each in found} == {*labels}
    assert sum(each["score"] for each in found) == pytest.approx(1, abs=1e-4)


def test_labels_are_asked_for_where_there_are_none(oracle: Oracle) -> None:
    assert oracle.failure("zero-shot", "x")["code"] == "labels_missing"


# --- shorter texts

ARTICLE = (
    "The city council approved a plan on Tuesday to build 300 new bicycle lanes over five years. "
    "Dr. Ellen Marsh, who leads the council, said it would cut traffic and pollution. "
    "Lunch was served at noon. "
    "Some shop owners objected to the plan, because it takes away places to park. "
    "The first lanes are to open next spring in the old town."
)


def test_a_summary_takes_sentences_of_the_text_in_their_order(oracle: Oracle) -> None:
    summary = oracle.ask("summary", ARTICLE, sentences=2)["summary_text"]
    assert "300 new bicycle lanes" in summary and "Lunch" not in summary
    assert summary.count(".") - summary.count("Dr.") == 2
    places = [ARTICLE.index(part.strip()) for part in summary.split(". ") if part.strip() and part.strip() != "Dr"]
    assert places == sorted(places)


def test_what_steers_writing_is_refused_where_nothing_is_written(oracle: Oracle) -> None:
    error = oracle.failure("summary", ARTICLE, parameters={"temperature": 1})
    assert error["code"] == "unknown_parameter" and "--style abstractive" in error["hint"]


# --- new texts


def test_a_text_is_continued_as_long_as_was_asked_and_the_same_each_time(oracle: Oracle) -> None:
    token = oracle.begin("generate", "Write one sentence about the sea.", parameters={"maxTokens": 8})
    last = oracle.worker.ending(token)
    answer = json.loads((oracle.worker.spool / token / "out" / "inference.json").read_text())
    assert answer["output"]["details"]["finish_reason"] == "length"
    assert answer["usage"]["generatedTokens"] == answer["output"]["details"]["generated_tokens"] == 8
    assert last["result"]["details"]["usage"] == answer["usage"]
    pieces = [event["line"] for event in oracle.worker.events(token) if event.get("stream") == "answer"]
    assert len(pieces) > 3 and "".join(pieces) == answer["output"]["generated_text"]
    again = oracle.ask("generate", "Write one sentence about the sea.", maxTokens=8)
    assert again["generated_text"] == answer["output"]["generated_text"]
    stop = pieces[4].strip()
    cut = oracle.ask("generate", "Write one sentence about the sea.", maxTokens=8, stop=[stop])
    usage = oracle.envelope("generate", "Write one sentence about the sea.", maxTokens=8, stop=[stop])["usage"]
    assert usage["tokens"] == answer["usage"]["tokens"] and 0 < usage["generatedTokens"] <= 8
    assert cut["details"]["finish_reason"] == "stop_sequence" and stop not in cut["generated_text"]
    assert answer["output"]["generated_text"].startswith(cut["generated_text"])


def test_a_seed_gives_the_same_text_again(oracle: Oracle) -> None:
    texts = [
        oracle.ask("generate", "Tell me a story.", maxTokens=12, temperature=1.5, seed=seed)["generated_text"]
        for seed in (7, 7, 8)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_an_answer_that_cannot_be_as_long_as_was_asked_says_how_long_it_can_be(oracle: Oracle) -> None:
    asked = ("generate", "Say hello.")
    assert "notes" not in oracle.envelope(*asked, maxTokens=100, stop=["e"])
    answer = oracle.envelope(*asked, maxTokens=1_000_000, stop=["e"])
    room = 2048 - answer["usage"]["tokens"]
    assert answer["notes"] == [
        f"maxTokens was more than an answer can have: beside the question generate has room for {room} tokens."
    ]


def test_a_question_that_is_too_long_is_refused_with_the_numbers(oracle: Oracle) -> None:
    error = oracle.failure("generate", "word " * 4000)
    assert error["code"] == "text_too_long" and "takes 2048 tokens" in error["message"], error


@pytest.mark.parametrize("words", [1600, 1700], ids=["beside the models", "in a process"])
def test_generations_that_are_cancelled_while_their_questions_are_read_end_at_once(oracle: Oracle, words: int) -> None:
    """Reading two questions of so many tokens takes several seconds of the processor's time."""
    oracle.ask("generate", "Say hello.", maxTokens=2)
    until(lambda: len(psutil.Process(oracle.worker.pid).children()) == 1, "the companion is there alone")
    (companion,) = psutil.Process(oracle.worker.pid).children()
    before = companion.cpu_times().user
    tokens = [oracle.begin("generate", "word " * words) for _ in range(2)]  # as many as the model takes at once
    until(lambda: companion.cpu_times().user - before > 0.5, "they are being read")
    for token in tokens:
        oracle.worker.http.delete(f"/attempts/{token}")
        assert oracle.worker.ending(token)["error"]["reason"] == "cancelled"
    used = companion.cpu_times().user
    # It would wait for one of them if they went on.
    assert oracle.ask("generate", "Say hello.", maxTokens=2)["details"]["generated_tokens"] == 2
    assert companion.cpu_times().user - used < 2


def test_a_generation_that_is_cancelled_ends_with_its_next_token(oracle: Oracle) -> None:
    """Two thousand tokens are many seconds of the processor's time, and one is some milliseconds."""
    oracle.ask("generate", "Say hello.", maxTokens=2)
    until(lambda: len(psutil.Process(oracle.worker.pid).children()) == 1, "the companion is there alone")
    (companion,) = psutil.Process(oracle.worker.pid).children()
    token = oracle.begin("generate", "Count from one to a thousand.", parameters={"maxTokens": 2000})
    with oracle.worker.follow(token) as events:
        next(event for event in events if event.get("stream") == "answer")
    oracle.worker.http.delete(f"/attempts/{token}")
    assert oracle.worker.ending(token)["error"]["reason"] == "cancelled"
    used = companion.cpu_times().user
    oracle.ask("generate", "Say hello.", maxTokens=2)  # and a moment more
    assert companion.cpu_times().user - used < 2


def test_pictures_that_show_alike_things_have_alike_features(oracle: Oracle, tmp_path: Path) -> None:
    ImageOps.mirror(Image.open(CHELSEA)).save(tmp_path / "mirrored.jpg")
    path = oracle.file("features", {"a": CHELSEA, "b": tmp_path / "mirrored.jpg", "c": COFFEE}, outputFormat="binary")
    vectors = np.load(path, allow_pickle=False)
    assert vectors.shape == (3, 1280)
    cat, mirrored, coffee = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert cat @ mirrored > 0.8 > cat @ coffee


# --- names, and what is not to be said


def test_names_are_found_where_they_stand(oracle: Oracle) -> None:
    text = "Apple is opening a new office in Berlin in March 2025, said Tim Cook, after paying $2 billion to Siemens."
    found = oracle.ask("entities", text)
    assert {each["word"]: each["entity_group"] for each in found} == {
        "Apple": "ORG", "Berlin": "GPE", "March 2025": "DATE", "Tim Cook": "PERSON", "$2 billion": "MONEY",
        "Siemens": "ORG",
    }  # fmt: skip
    assert all(text[each["start"] : each["end"]] == each["word"] for each in found)
    assert all(0.3 < each["score"] <= 1 for each in found)


def test_names_are_found_where_they_stand_in_a_long_text(oracle: Oracle) -> None:
    """It is looked at in parts, as the library takes no more than a million letters."""
    filler = "It rained, and nobody was there to see how the small boats went out again.\n\n" * 270
    text = f"In Paris. {filler}Tim Cook opened an office in Berlin."
    assert len(text) > 20_000
    found = [each for each in oracle.ask("entities", text) if each["entity_group"] in ("GPE", "PERSON")]
    assert [each["word"] for each in found] == ["Paris", "Tim Cook", "Berlin"]
    assert all(text[each["start"] : each["end"]] == each["word"] for each in found)


def test_insults_are_flagged_and_kind_words_are_not(oracle: Oracle) -> None:
    texts = [
        "You are a wonderful person",
        "The hospital opened a new wing",
        "you are a stupid idiot and I hate you",
        "shut up moron",
    ]
    answers = oracle.ask("moderate-text", texts)
    assert [answer["flagged"] for answer in answers] == [False, False, True, True]
    scores = [{each["label"]: each["score"] for each in answer["categories"]}["offensive"] for answer in answers]
    assert max(scores[:2]) < 0.15 and min(scores[2:]) > 0.9
