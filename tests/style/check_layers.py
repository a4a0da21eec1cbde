#!/usr/bin/python3
"""Checks who includes whom: the table below is the architecture.

    check_layers.py SOURCE_DIR [--table]

A module's headers and sources may include its own headers and those of the modules named here; a
library's header only where the table says so. Also:

- file names are unique in the tree, so that an include or a compiler message says which file is
  meant;
- neither modules nor files include each other in a circle: a file can be read after those that it
  includes;
- a tag of a struct, union or enum and an enum constant AG_... stands once in the tree, so that a
  name means one thing;
- the first word of a function's name, "ag_WORD_", belongs to one module, but for the words below.

--table prints how many includes lead from module to module instead.
"""

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

# module: (modules it may include, libraries that only it sees)
TABLE = {
    "base": ((), ("zlib",)),
    "products": (("base", "numerics"), ()),
    "numerics": (("base",), ()),
    "run": (("base", "numerics"), ("jansson", "openssl")),
    "data": (("base", "run"), ()),
    "config": (("base", "numerics", "run", "data"), ("fyaml", "pcre2")),
    "kernels": (("base", "products", "numerics"), ("cblas",)),
    "record": (("base", "run"), ()),
    "spool": (("base", "run", "record"), ("jansson",)),
    "results": (("base", "run", "record", "spool"), ("hdf5", "jansson")),
    "foreign": (("base", "run"), ("jansson",)),
    "train": (("base", "products", "numerics", "run", "data", "kernels", "record"), ()),
    "stats": (("base",), ()),
    "proc": (("base",), ()),
    "farm": (("base",), ("mpi",)),
    "app": (None, ("mpi", "jansson")),
}
LIBRARY_HEADERS = {
    r"jansson\.h": "jansson",
    r"openssl/.*": "openssl",
    r"libfyaml\.h": "fyaml",
    r"pcre2\.h": "pcre2",
    r"(cblas|lapacke|openblas.*)\.h": "cblas",
    r"hdf5(_hl)?\.h|H5.*\.h": "hdf5",
    r"zlib\.h": "zlib",
    r"mpi\.h": "mpi",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
TAG = re.compile(r"\b(?:struct|union|enum)\s+(ag_\w+)\s*\{")
ENUM = re.compile(r"\benum\b[\w\s]*\{([^}]*)\}")
CONSTANT = re.compile(r"(?:^|,)\s*(AG_\w+)")
FUNCTION = re.compile(r"^(?!static\b|typedef\b|return\b)[a-z_][\w \n*]*?[\s*](ag_\w+)\(", re.MULTILINE)

# Words that functions of several modules begin with: verbs and plain nouns, and the twins of a
# definition in numerics that kernels holds. No new ones: give the function its module's word.
SHARED_WORDS = set("""
accumulate add amax codes facts format grid groups hadamard is layer multiply operand philox
plan quantize read round run scales scheme site text train weights
""".split())


def without_comments(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


def library_of(header):
    for pattern, library in LIBRARY_HEADERS.items():
        if re.fullmatch(pattern, header):
            return library
    return None


class Source:
    def __init__(self, root, path):
        self.path = path
        self.name = path.relative_to(root)
        self.module = self.name.parts[1]
        self.text = path.read_text()
        self.includes = INCLUDE.findall(self.text)
        self.code = without_comments(self.text)


def breaches(source):
    modules, libraries = TABLE[source.module]
    for bracket, header in source.includes:
        place = f"{source.name}: includes {header}: "
        library = library_of(header)
        if library and library not in libraries:
            yield place + f"{source.module} may not see {library}"
        target = header.split("/")[0]
        if bracket == "<" or "/" not in header or target == source.module or modules is None:
            continue
        if target not in TABLE:
            yield place + "there is no such module"
        elif target not in modules:
            yield place + f"{source.module} may not include {target}"


def circles(edges, kind):
    """One complaint for each way back to a node from which one came."""
    state = {}

    def visit(node, way):
        state[node] = "open"
        for target in sorted(edges.get(node, ())):
            if state.get(target) == "open":
                yield f"{kind} in a circle: " + " -> ".join(way[way.index(target):] + [target])
            elif target not in state:
                yield from visit(target, way + [target])
        state[node] = "done"

    for node in sorted(edges):
        if node not in state:
            yield from visit(node, [node])


def file_edges(sources):
    by_name = {str(s.name): s for s in sources}
    edges = {}
    for source in sources:
        places = [(f"include/{header}", str(source.name.parent / header))
                  for bracket, header in source.includes if bracket == '"']
        edges[str(source.name)] = {p for pair in places for p in pair if p in by_name}
    return edges


def twice(sources):
    places = defaultdict(list)
    for source in sources:
        constants = [c for body in ENUM.findall(source.code) for c in CONSTANT.findall(body)]
        for name in TAG.findall(source.code) + constants:
            places[name].append(str(source.name))
    for name, where in sorted(places.items()):
        if len(where) > 1:
            yield f"{name} stands for several things: {', '.join(where)}"


def word_of(function):
    return function.split("_")[1]


def shared_words(sources):
    modules = defaultdict(lambda: defaultdict(set))
    for source in sources:
        for function in FUNCTION.findall(source.code):
            modules[word_of(function)][source.module].add(function)
    for word, by_module in sorted(modules.items()):
        if len(by_module) > 1 and word not in SHARED_WORDS:
            some = ", ".join(f"{sorted(by_module[m])[0]} in {m}" for m in sorted(by_module))
            yield f"ag_{word}_ belongs to one module: {some}"
    several = {word for word, by_module in modules.items() if len(by_module) > 1}
    for word in sorted(SHARED_WORDS - several):
        yield f"ag_{word}_ is of one module now: take it off the list in check_layers.py"


def module_edges(sources):
    counts = Counter()
    for source in sources:
        for bracket, header in source.includes:
            target = header.split("/")[0]
            if bracket == '"' and target in TABLE and "/" in header and target != source.module:
                counts[source.module, target] += 1
    return counts


def print_table(sources):
    counts = module_edges(sources)
    modules = [m for m in TABLE if any(m in pair for pair in counts)]
    print(f"{'':10}" + "".join(f"{m[:7]:>8}" for m in modules))
    for module in modules:
        row = "".join(f"{counts[module, target] or '.':>8}" for target in modules)
        print(f"{module:10}{row}")


def main():
    root = Path(sys.argv[1])
    found, sources, names = [], [], {}
    paths = [path for top in ("include", "src") for path in sorted((root / top).rglob("*"))]
    for path in paths:
        if path.suffix not in (".c", ".h", ".inc"):
            continue
        source = Source(root, path)
        if source.module not in TABLE:
            found.append(f"{path}: there is no module {source.module}")
            continue
        sources.append(source)
        found += breaches(source)
        if path.name in names:
            found.append(f"{path}: the name stands for {names[path.name]} already")
        names[path.name] = path
    if "--table" in sys.argv:
        print_table(sources)
        return 0
    rows = defaultdict(set)
    for module, target in module_edges(sources):
        rows[module].add(target)
    found += circles(rows, "modules include each other")
    found += circles(file_edges(sources), "files include each other")
    found += twice(sources)
    found += shared_words(sources)
    print("\n".join(found) if found else f"{len(names)} files keep to the table")
    return 1 if found or not names else 0


if __name__ == "__main__":
    sys.exit(main())
