#!/usr/bin/env python3
"""Runs every ```sh, ```python and ```yaml block of README.md, in their order.

    readme_blocks.py ALTGRAD SOURCE_DIR

All run in one scratch folder in the place of the clone's top folder, with jobs/ and analysis/:

yaml    with `altgrad: 1` it is saved under the name of its first line (# first.yaml) and planned;
        a fragment takes the place of its keys in the first experiment, and that is planned
sh      runs under `sh -eu`; python: a process of its own, with PYTHONPATH=analysis

Commands that train, install or need a batch system have stand-ins, first in PATH:

altgrad run     gets `--set train.steps=20`, unless the experiment has none, so that it is quick
mpirun          starts one process: other tests start many
sbatch          checks that the script parses and that the experiment can be planned
cmake           does nothing: this tree has been built. sh jobs/quickstart.sh and sh tests/run.sh,
                which install and build, are parsed only; the quickstart's results are made by a
                shrunk run of jobs/quickstart.yaml
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

STAND_INS = {
    "altgrad": """#!/bin/sh
shrink=
if [ "$1" = run ]; then
    case $2 in quantise.yaml) ;; *) shrink="--set train.steps=20 --set optimizer.warmup=2" ;; esac
fi
exec "$ALTGRAD" "$@" $shrink
""",
    "mpirun": """#!/bin/sh
[ "$1" = -n ] && [ "$2" -ge 1 ] || exit 2
shift 2
exec "$@"
""",
    "sbatch": """#!/bin/sh -e
while [ "${1#--}" != "$1" ]; do shift; done
bash -n "$1"
"$ALTGRAD" plan "$2" >/dev/null
""",
    "cmake": "#!/bin/sh\nexit 0\n",
    "sh": """#!/bin/sh
case $1 in
*.sh) exec /bin/sh -n "$1" ;;
esac
exec /bin/sh "$@"
""",
}

QUICKSTART = ["run", "jobs/quickstart.yaml", "--set", "data.tokens=20000", "--set", "eval.every=10"]


def blocks(text):
    """(line, language, text) of every fenced block that names one of the languages."""
    for match in re.finditer(r"^```(sh|python|yaml)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield text.count("\n", 0, match.start()) + 1, match[1], match[2]


def scratch(folder, altgrad, source):
    """Fills the folder; returns the environment of its commands."""
    for name in ("jobs", "analysis", "tests"):
        (folder / name).symlink_to(source / name)
    stand_ins = folder / "stand-ins"
    stand_ins.mkdir()
    for name, text in STAND_INS.items():
        (stand_ins / name).write_text(text)
        (stand_ins / name).chmod(0o755)
    path = f"{stand_ins}:{Path(altgrad).parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    python = {"PYTHONPATH": "analysis", "PYTHONDONTWRITEBYTECODE": "1"}
    return dict(os.environ, ALTGRAD=str(altgrad), PATH=path, **python)


def keys(text):
    return re.findall(r"^(\w+):", text, re.MULTILINE)


def lay_over(experiment, fragment):
    """The experiment with the fragment's top-level keys in the place of its own."""
    sections = re.split(r"^(?=\w+:)", experiment, flags=re.MULTILINE)
    kept = [s for s in sections if not set(keys(s)) & set(keys(fragment))]
    return "".join(kept) + fragment


def command_of(language, text, folder, state):
    if language == "sh":
        return ["sh", "-eu", "-c", text]
    if language == "python":
        return [sys.executable, "-c", text]
    name = "fragment.yaml"
    if "altgrad" in keys(text):
        name = re.match(r"# (\S+\.yaml)\n", text)[1]
        state.setdefault("first", text)
    else:
        text = lay_over(state["first"], text)
    (folder / name).write_text(text)
    return ["altgrad", "plan", name]


def main(altgrad, source):
    readme = list(blocks((source / "README.md").read_text()))
    counts = {name: sum(b[1] == name for b in readme) for name in ("sh", "python", "yaml")}
    assert min(counts.values()) >= 3, f"blocks were not found: {counts}"
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder, state = Path(name), {}
        environment = scratch(folder, altgrad, source)
        started = [str(folder / "stand-ins" / "altgrad"), *QUICKSTART]
        for line, language, command in [(0, "quickstart", started)] + [
            (line, language, text) for line, language, text in readme
        ]:
            if isinstance(command, str):
                command = command_of(language, command, folder, state)
            done = subprocess.run(
                command, cwd=folder, env=environment, text=True, errors="replace",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )
            if done.returncode != 0:
                failed += 1
                print(f"README.md:{line}: {language} block: exit code {done.returncode}")
                print(done.stdout[-2000:])
    print(f"{len(readme)} blocks, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()))
