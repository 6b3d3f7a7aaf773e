"""Recommenders: what is fitted, what is said to whom, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processors.inference.recommending.als import alternating
from processors.inference.recommending.fitting import fit
from processors.inference.recommending.interactions import read
from processors.inference.recommending.tables import BadTables, Tables
from processors.worker.context import Rejected

SHOP = """user,item,rating
ann,tent,5
ann,stove,4
ann,map,5
ben,tent,3
ben,stove,5
cleo,tent,4
cleo,stove,4
cleo,map,3
dan,lamp,5
dan,desk,5
eve,lamp,4
eve,desk,4
finn,tent,5
gil,lamp,1
"""
ITEMS = [
    {"item": "tent", "title": "A tent for two hikers", "kind": "outdoor"},
    {"item": "rucksack", "title": "A rucksack for hikers", "kind": "outdoor"},
    {"item": "lamp", "title": "A lamp for a desk", "kind": "office"},
    {"item": "chair", "title": "A chair for a desk", "kind": "office"},
]


def tables(folder: Path, interactions: str = SHOP, items: list[dict[str, Any]] | None = None) -> Tables:
    (folder / "a.csv").write_text(interactions)
    files = [("a.csv", folder / "a.csv")]
    if items is not None:
        (folder / "b.jsonl").write_text("\n".join(map(json.dumps, items)))
        files.append(("b.jsonl", folder / "b.jsonl"))
    return Tables(fit(read(files)))


def names(found: list[tuple[str, float]]) -> list[str]:
    return [item for item, _ in found]


def test_what_others_have_who_have_the_same_comes_first(tmp_path: Path) -> None:
    shop = tables(tmp_path)
    assert names(shop.recommend("finn", [], 2)) == ["stove", "map"]
    assert names(shop.recommend("gil", [], 1)) == ["desk"]
    assert names(shop.recommend("somebody", ["lamp"], 1)) == ["desk"]


def test_nobody_is_recommended_what_they_have_and_scores_fall(tmp_path: Path) -> None:
    found = tables(tmp_path).recommend("ann", ["lamp"], 10)
    assert not {"tent", "stove", "map", "lamp"} & set(names(found))
    scores = [score for _, score in tables(tmp_path).recommend("finn", [], 10)]
    assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)


def test_to_a_stranger_the_most_popular_is_said(tmp_path: Path) -> None:
    assert names(tables(tmp_path).recommend("stranger", [], 2)) == ["tent", "stove"]


def test_an_item_that_nobody_has_yet_is_found_by_what_it_is(tmp_path: Path) -> None:
    shop = tables(tmp_path, items=ITEMS)
    assert names(shop.recommend("stranger", ["rucksack"], 1)) == ["tent"]
    assert "chair" in names(shop.recommend("gil", [], 2)) and "rucksack" not in names(shop.recommend("gil", [], 2))


def test_cosines_are_those_of_the_whole_matrix(tmp_path: Path) -> None:
    dice = np.random.default_rng(3)
    pairs = {(int(user), int(item)) for user, item in dice.integers(0, (30, 12), (150, 2))}
    rows = "\n".join(f"u{user},i{item},{1 + (user + item) % 5}" for user, item in sorted(pairs))
    (tmp_path / "a.csv").write_text(f"user,item,rating\n{rows}\n")
    found = read([("a.csv", tmp_path / "a.csv")])
    fitted = fit(found)
    matrix = np.zeros((len(found.users), len(found.items)))
    for (user, item), weight in found.rows.items():
        matrix[user, item] = weight
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    matrix /= np.linalg.norm(matrix, axis=0, keepdims=True)
    wanted = matrix.T @ matrix
    np.fill_diagonal(wanted, 0)
    for item, (near, scores) in enumerate(zip(fitted["near_items"], fitted["near_scores"], strict=True)):
        assert scores == pytest.approx(np.sort(wanted[item])[::-1][: len(scores)], abs=1e-6)
        assert wanted[item][near] == pytest.approx(scores, abs=1e-6)


@pytest.mark.parametrize("factorise", [None, alternating], ids=["cosine", "als"])
def test_of_tastes_that_differ_more_is_found_than_what_is_popular(tmp_path: Path, factorise: Any) -> None:
    """Leave one out: each of 200 users has a taste of eight, and now and then something else."""
    dice = np.random.default_rng(5)
    rows, left = [], {}
    for user in range(200):
        taste = user % 8
        own = 8 * dice.permutation(15)[:10] + taste
        left[f"u{user}"] = f"i{own[0]}"
        rows += [f"u{user},i{item}" for item in {*own[1:].tolist(), *dice.integers(0, 120, 3).tolist()} - {own[0]}]
    (tmp_path / "a.csv").write_text("user,item\n" + "\n".join(rows) + "\n")
    shop = Tables(fit(read([("a.csv", tmp_path / "a.csv")]), factorise=factorise))
    hits = sum(item in names(shop.recommend(user, [], 10)) for user, item in left.items())
    popular = names(shop.recommend("stranger", [], 10))
    assert hits > 3 * sum(item in popular for item in left.values())


def test_factors_leave_nobody_out_who_has_nothing_yet(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(SHOP + "zoe,tent,0\n")
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, ITEMS)))
    files = [(name, tmp_path / name) for name in ("a.csv", "b.jsonl")]
    shop = Tables(fit(read(files), factorise=alternating))
    assert "desk" in names(shop.recommend("gil", [], 2))
    assert names(shop.recommend("zoe", [], 1)) == ["tent"]
    assert names(shop.recommend("stranger", ["rucksack"], 1)) == ["tent"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", "who,what\nann,tent\n", "a.csv has no column item: it has who, what"),
        ("a.csv", "user,item\n", "a.csv has no interactions"),
        ("a.csv", "user,item\nann,\n", "a.csv, line 2 has no item"),
        ("a.csv", "user,item,rating\nann,tent,lots\n", "a.csv, line 2: the rating 'lots' is no number"),
        ("a.csv", "user,item,rating\nann,tent,nan\n", "the rating 'nan' is no number"),
        ("a.jsonl", '{"user": 1, "item": 2}\n{"user"', "a.jsonl, line 2, is not JSON"),
        ("a.jsonl", '["ann", "tent"]', "a.jsonl, line 1, is no object"),
        ("a.jsonl", '{"user": {}, "item": "tent"}', "identifies nobody"),
    ],
)
def test_a_file_that_is_none_is_told_with_its_line(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(Rejected, match=says):
        read([(name, tmp_path / name)])


def test_columns_may_be_called_as_others_do_and_files_be_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("user_id\titem_id\ttimestamp\n1\t2\t999\n1\t3\t998\n")
    (tmp_path / "b.jsonl").write_text('{"userId": 1, "itemId": 2, "value": 3}\n')
    found = read([("a.tsv", tmp_path / "a.tsv"), ("b.jsonl", tmp_path / "b.jsonl")])
    assert found.rows == {(0, 0): 4.0, (0, 1): 1.0}


@pytest.mark.parametrize("name", ["near_items", "history_items", "items.json", "history_starts", "popularity"])
def test_tables_that_were_tampered_with_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text(SHOP)
    fitted = fit(read([("a.csv", tmp_path / "a.csv")]))
    for bad in (fitted[name][:-1], np.full_like(fitted[name], 99)):
        if name == "popularity" and len(bad) == len(fitted[name]):
            continue  # any count may be
        with pytest.raises(BadTables):
            Tables({**fitted, name: bad})
