#!/usr/bin/python3
"""Checks who includes whom: the table below is the architecture.

    check_layers.py SOURCE_DIR

A module's headers and sources may include its own headers and those of the modules named here; a
library's header only where the table says so. Also: file names are unique in the tree, so that an
include or a compiler message says which file is meant, and no module includes itself in a circle.
"""

import re
import sys
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


def library_of(header):
    for pattern, library in LIBRARY_HEADERS.items():
        if re.fullmatch(pattern, header):
            return library
    return None


def complaints(root, path, module):
    modules, libraries = TABLE[module]
    for bracket, header in INCLUDE.findall(path.read_text()):
        place = f"{path.relative_to(root)}: includes {header}: "
        library = library_of(header)
        if library and library not in libraries:
            yield place + f"{module} may not see {library}"
        target = header.split("/")[0]
        if bracket == "<" or "/" not in header or target == module or modules is None:
            continue
        if target not in TABLE:
            yield place + "there is no such module"
        elif target not in modules:
            yield place + f"{module} may not include {target}"


def main():
    root = Path(sys.argv[1])
    found, names = [], {}
    for top in ("include", "src"):
        for path in sorted((root / top).rglob("*.[ch]")):
            module = path.relative_to(root / top).parts[0]
            if module not in TABLE:
                found.append(f"{path}: there is no module {module}")
                continue
            found += complaints(root, path, module)
            if path.name in names:
                found.append(f"{path}: the name stands for {names[path.name]} already")
            names[path.name] = path
    print("\n".join(found) if found else f"{len(names)} files keep to the table")
    return 1 if found or not names else 0


if __name__ == "__main__":
    sys.exit(main())
