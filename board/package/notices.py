#!/usr/bin/env python3
"""Writes the licences of every crate that is linked into the shipped program, as Markdown, to a file.

    board/package/notices.py target/THIRD-PARTY.md

Asks cargo which crates those are and takes the texts from their sources; a crate without a text of its own is
listed with what its manifest says. Ends with 1 where a crate says nothing at all.
"""
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = "aarch64-unknown-linux-gnu"
NAMES = ("licen", "copying", "notice", "copyright")
# not crates, but in the program
MORE = [("DejaVu Sans Condensed Bold", "Bitstream Vera and Arev", ROOT / "src/devices/display/font/LICENSE")]


def cargo(*words):
    return subprocess.run(["cargo", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def linked():
    """Name and version of each crate that is linked, without what only runs while compiling."""
    words = ["tree", "--locked", "-p", "beltwatch", "--features", "spi-display", "-e", "normal,no-proc-macro"]
    lines = cargo(*words, "--target", TARGET, "--prefix", "none", "-f", "{p}").splitlines()
    return {tuple(line.split()[:2]) for line in lines if line}


def main(to):
    wanted = linked()
    packages = json.loads(cargo("metadata", "--locked", "--format-version", "1"))["packages"]
    users, said, nothing = defaultdict(list), [], []
    for package in sorted(packages, key=lambda p: (p["name"], p["version"])):
        name, folder = package["name"], Path(package["manifest_path"]).parent
        ours = package["source"] is None and not folder.is_relative_to(ROOT / "vendor")
        if ours or (name, "v" + package["version"]) not in wanted:
            continue
        licence = package["license"] or ("in a file" if package["license_file"] else "")
        if not licence:
            nothing.append(name)
        said.append((f"{name} {package['version']}", licence, package["repository"] or ""))
        files = {f for f in folder.iterdir() if f.is_file() and f.name.lower().startswith(NAMES)}
        if package["license_file"]:
            files.add((folder / package["license_file"]).resolve())
        for file in sorted(files):
            users[file.read_text(errors="replace").strip()].append(f"{name} {package['version']}")
    for name, licence, file in MORE:
        said.append((name, licence, ""))
        users[file.read_text().strip()].append(name)
    Path(to).parent.mkdir(parents=True, exist_ok=True)
    with open(to, "w") as out:
        out.write("# What beltwatch is built of\n\nEach part has its own licence; the texts are below.\n\n")
        out.write("| part | licence | from |\n| --- | --- | --- |\n")
        out.writelines(f"| {name} | {licence} | {source} |\n" for name, licence, source in said)
        for text, names in users.items():
            out.write(f"\n## {', '.join(names)}\n\n````text\n{text}\n````\n")
    print(f"{to}: {len(said)} parts, {len(users)} texts")
    if nothing:
        sys.exit(f"no licence: {', '.join(nothing)}")


if __name__ == "__main__":
    main(*sys.argv[1:] or sys.exit(__doc__))
