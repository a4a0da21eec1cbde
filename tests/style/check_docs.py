"""The documents name what is there: files, folders, links, tests.

    check_docs.py SOURCE_DIR CTEST BUILD_DIR

In README.md, CONTRIBUTING.md, CHANGELOG.md and docs/*.md every link leads to a file, and where it
names a heading, to one that is there; every path in backticks exists; every test after "Test:",
"Tests:" or "ctest ... -R" is one that ctest knows. The recipes of CONTRIBUTING.md name functions
and tables of the sources, which are there too. Files that tell altgrad's version tell the same one.
"""

import re
import subprocess
import sys
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TOP = "src include tests docs jobs analysis .ci".split()
# a word in backticks that begins with a folder of the top, or is a file there
PATH = re.compile(r"`((?:%s)/[^`\s]*|[A-Z][A-Za-z]+\.(?:md|txt|json|cff))`" % "|".join(TOP))
# a name of C, of more than one word
NAME_OF_C = re.compile(r"`([A-Za-z]+(?:_\w+)+)`")
PLACEHOLDER = re.compile(r"[<>*{}]|NAME|COMMAND|FILE")


def anchors(path):
    """As GitHub makes them of headings."""
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        title = re.sub(r"[`*]", "", LINK.sub(lambda m: m[0], title)).strip().lower()
        yield re.sub(r"[^\w\- ]", "", title).replace(" ", "-")


def tests_named(text):
    for sentence in re.findall(r"\bTests?: (.*?)(?:\n\n|\Z)", text, re.DOTALL):
        sentence = re.sub(r"\([^()]*\)", "", sentence)
        yield from re.findall(r"`([\w.]+)`", sentence)
    yield from re.findall(r"ctest [^\n`]*-R '?\^?([\w.]+)", text)


def is_test(name, known_tests):
    """Or the beginning of several, `numerics_exhaustive_e4m3fn` and so on."""
    return any(re.match(name + "(?![a-z])", test) for test in known_tests)


def faults(root, page, known_tests):
    text = page.read_text()
    for target in LINK.findall(text):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            yield f"a link to {target}, which is not there"
        elif anchor and anchor not in set(anchors(file)):
            yield f"a link to {target}: there is no such heading"
    for path in PATH.findall(text):
        if not PLACEHOLDER.search(path) and not (root / path).exists():
            yield f"`{path}`, which is not there"
    for name in tests_named(text):
        if name != "NAME" and not is_test(name, known_tests):
            yield f"test {name}, which ctest does not know"


def unknown_names(root, page, known_tests):
    known = set()
    for top in ("src", "include", "tests"):
        for path in (root / top).rglob("*.*"):
            if path.suffix in (".c", ".h", ".inc", ".py", ".txt"):
                known.update(re.findall(r"\w+", path.read_text()))
    for name in sorted(set(NAME_OF_C.findall(page.read_text()))):
        if not PLACEHOLDER.search(name) and name not in known and not is_test(name, known_tests):
            yield f"{page.name}: `{name}`, which is nowhere in the sources"


def versions(root):
    told = {
        name: re.search(pattern, (root / name).read_text(), re.MULTILINE)[1]
        for name, pattern in (
            ("CMakeLists.txt", r"^project\(altgrad VERSION (\S+)"),
            ("CITATION.cff", r"^version: (\S+)"),
            ("analysis/pyproject.toml", r'^version = "(.*)"'),
            ("CHANGELOG.md", r"^## (\S+)"),
        )
    }
    if len(set(told.values())) != 1:
        yield f"versions differ: {told}"


def main(root, ctest, build):
    listing = subprocess.check_output([ctest, "--test-dir", build, "-N"], text=True)
    known_tests = re.findall(r"Test +#\d+: (\S+)", listing)
    root = Path(root)
    pages = [root / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")]
    pages += sorted((root / "docs").glob("*.md"))
    found = [
        f"{page.relative_to(root)}: {fault}"
        for page in pages
        for fault in faults(root, page, known_tests)
    ]
    found += unknown_names(root, root / "CONTRIBUTING.md", known_tests)
    found += versions(root)
    print("\n".join(found) if found else f"{len(pages)} documents name what is there")
    return 1 if found or not known_tests else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
