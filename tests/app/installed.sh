#!/bin/sh
# installed.sh CMAKE BUILD_DIR PYTHON: what `cmake --install` leaves works from there: the programs
# find each other, every command has a manual page with its options, the plots are drawn.
set -u
cmake=$1 build=$2 python=$3
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
"$cmake" --install "$build" --prefix "$PWD/prefix" > log 2>&1 || complain "install: $(tail -3 log)"
bin=$PWD/prefix/bin share=$PWD/prefix/share
few "seeds: 1"
"$bin/altgrad" run few.yaml --progress none > out 2> log || complain "run: $(cat log)"
"$python" -B "$bin/altgrad-plot" few.h5 > out 2> log || complain "altgrad-plot: $(cat log)"
[ -s few.png ] || complain "altgrad-plot drew nothing"
ALTGRAD_PYTHON=$python "$bin/altgrad" report few.h5 -o page > out 2> log || complain "report: $(cat log)"
grep -q 'id="final-loss"' page/report.html || complain "the report lacks its table"
for file in README.md LICENSE docs/README.md jobs/quickstart.yaml jobs/quickstart.sh; do
    [ -f "$share/doc/altgrad/$file" ] || complain "no $file beside the README"
done

words() {
    tr -s ' ' '\n' | grep . | sort -u
}
check_page() { # NAME COMMAND...: each word of the help that it prints stands in the page
    name=$1
    shift
    "$@" > text
    page=$share/man/man1/$name.1
    [ -f "$page" ] || {
        complain "no manual page of $name"
        return
    }
    sed 's/^usage: //; s/^examples*: //; s/^[Ee]xit codes: *//; s/^altgrad[-a-z]*: .*//' text |
        words > help
    sed 's/\\-/-/g; s/\\e/\\/g; s/\\&//g' "$page" | words > plain
    comm -23 help plain > log
    [ ! -s log ] || complain "$name.1 lacks words of its help"
    ! command -v groff > /dev/null || groff -man -ww -Tutf8 "$page" 2> log > /dev/null
    [ ! -s log ] || complain "groff warns of $name.1"
}
check_page altgrad "$bin/altgrad" --help
check_page altgrad-train "$bin/altgrad-train" --help
for command in $("$bin/altgrad" --help | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -v help); do
    check_page "altgrad-$command" "$bin/altgrad" help "$command"
done
sum_up
