"""How often what somebody chose last is among ten that are recommended; beside the ten most popular.

    PYTHONPATH=. python tests/quality/bench_recommending.py FILE

FILE is ml-100k.inter: 100,000 ratings of films (MovieLens, GroupLens Research; not to be passed on), as the Python
package `recbole` 1.2.1 has it in dataset_example/ml-100k. The last rating of each user is left out, the rest is fitted.
It ends with 1 where a method finds no more than popularity does.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from processors.inference.recommending.als import alternating
from processors.inference.recommending.fitting import fit
from processors.inference.recommending.interactions import read
from processors.inference.recommending.tables import Tables

COUNT = 10  # recommended items
_USER, _ITEM, _TIME = "user_id:token", "item_id:token", "timestamp:float"


def main() -> int:
    """Measure and print; 1 where a method is no better than popularity."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    chosen, last = _split(parser.parse_args().file)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "chosen.csv")
        path.write_text("\n".join(["user,item", *(f"{user},{item}" for user, item in chosen)]) + "\n")
        found = read([(path.name, path)])
    had: dict[str, set[str]] = defaultdict(set)
    for user, item in chosen:
        had[user].add(item)
    shops = {"cosine": Tables(fit(found)), "als": Tables(fit(found, factorise=alternating))}
    popular = [item for item, _ in shops["cosine"].recommend("", [], len(found.items))]
    usual = {user: [item for item in popular if item not in had[user]][:COUNT] for user in last}
    rates = {"popularity": sum(item in usual[user] for user, item in last.items()) / len(last)}
    for name, shop in shops.items():
        hits = sum(item in {each for each, _ in shop.recommend(user, [], COUNT)} for user, item in last.items())
        rates[name] = hits / len(last)
    for name, rate in rates.items():
        sys.stdout.write(f"{name:12}{rate:.3f}\n")
    return 0 if min(rates["cosine"], rates["als"]) > rates["popularity"] else 1


def _split(file: Path) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """What users have chosen but for the last, and that: by user."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = sorted(csv.DictReader(lines, delimiter="\t"), key=lambda row: float(row[_TIME]))
    by_user: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_user[row[_USER]].append(row[_ITEM])
    chosen = [(user, item) for user, items in by_user.items() for item in items[:-1]]
    return chosen, {user: items[-1] for user, items in by_user.items()}


if __name__ == "__main__":
    sys.exit(main())
