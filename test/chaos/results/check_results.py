"""Checks the files of a run's result set, without any code of Sluice: the manifest, its parts, and each row.

    python3 check_results.py .sluice/<workflow>/results/<run> --succeeded 100000 [--not-done 7,207]

Item n of the source must return {"n": n, ...}. The script fails with a list of everything that is wrong: a part that is
missing or does not have its checksum, a row that is no JSON, an id or a number that comes twice, is out of the order of the
source or must not be there, and an item without a row.
"""

import argparse
import csv
import hashlib
import io
import json
import pathlib
import re
import sys


def latest_manifest(run):
    manifests = [(int(m[1]), p) for p in run.iterdir() if (m := re.fullmatch(r"manifest-(\d+)\.json", p.name))]
    if not manifests:
        sys.exit(f"{run} has no manifest")
    version, path = max(manifests)
    manifest = json.loads(path.read_text("utf-8"))
    if manifest["version"] != version:
        sys.exit(f"{path} says that it is version {manifest['version']}")
    return manifest


def content_of(store, file, wrong):
    path = store / file["key"]
    if not path.exists():
        wrong.append(f"{file['key']} does not exist")
        return b""
    content = path.read_bytes()
    if len(content) != file["bytes"]:
        wrong.append(f"{file['key']} has {len(content)} bytes instead of {file['bytes']}")
    if hashlib.sha256(content).hexdigest() != file["sha256"]:
        wrong.append(f"{file['key']} does not have its checksum")
    return content


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--succeeded", type=int, required=True)
    parser.add_argument("--not-done", default="", help="the numbers of the items that have not succeeded")
    options = parser.parse_args()
    not_done = {int(n) for n in options.not_done.split(",") if n}
    manifest = latest_manifest(options.run)
    store, name = options.run.parent, manifest["run"]
    wrong, seen, before = [], set(), ((-1, -1), -1)
    for part in (part for block in manifest["blocks"] for part in block["parts"]):
        rows = content_of(store, part, wrong).decode("utf-8").splitlines()
        if len(rows) != part["rows"]:
            wrong.append(f"{part['key']} has {len(rows)} rows instead of {part['rows']}")
        ids = []
        for row in rows:
            value = json.loads(row)
            ids.append(value["id"])
            run, page, index = re.fullmatch(r"(.*)/(\d+)/(\d+)", value["id"]).groups()
            number, place = value["result"]["n"], (int(page), int(index))
            if run != name:
                wrong.append(f"{value['id']} belongs to another run")
            if number in seen:
                wrong.append(f"item {number} comes twice")
            # Ids and numbers both rise, and no number is missing: so each id has the result of its own item.
            if place <= before[0] or number <= before[1]:
                wrong.append(f"{value['id']} with item {number} is not in the order of the source")
            if number in not_done:
                wrong.append(f"{value['id']} has not succeeded, and has a row")
            seen.add(number)
            before = (place, number)
        if "csv" in part:
            table = list(csv.reader(io.StringIO(content_of(store, part["csv"], wrong).decode("utf-8"), newline="")))
            if table[:1] != [manifest["header"]]:
                wrong.append(f"{part['csv']['key']} has another header than the manifest")
            if [cells[0] for cells in table[1:]] != ids:
                wrong.append(f"{part['csv']['key']} has other ids than its JSONL")
    expected = set(range(options.succeeded + len(not_done))) - not_done
    missing = sorted(expected - seen)
    if missing:
        wrong.append(f"{len(missing)} items succeeded and have no row, such as {missing[:5]}")
    if len(seen) != options.succeeded or manifest["rows"] != options.succeeded or manifest["missing"] != 0:
        wrong.append(
            f"{len(seen)} rows, and {manifest['rows']} in the manifest ({manifest['missing']} missing), "
            f"but {options.succeeded} items succeeded"
        )
    print(json.dumps({"rows": len(seen), "manifest": manifest["version"], "wrong": wrong[:20]}))
    sys.exit(1 if wrong else 0)


main()
