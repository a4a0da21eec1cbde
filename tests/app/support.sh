# Sourced by scripts here at their beginning: goes into an empty folder, which goes with them, and
# counts what fails. What the commands under test say goes to the file log.
#   complain TEXT            a failure, with the log
#   expect CODE COMMAND...   runs it; CODE is its exit code
#   says TEXT                the log holds it; matches REGEX: a line of the log does
#   few LINE...              writes few.yaml: the small experiment, with these lines
#   stand_in ALTGRAD TRAIN   makes bin/altgrad, with the script on standard input in place of its
#                            trainer; what is asked before a run, the real one answers
#   await COMMAND...         until it succeeds, for half a minute
#   ends CODE PID            waits for a command in the background; CODE is its exit code
#   sum_up                   last: the script's exit code
# shellcheck shell=sh
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

complain() {
    echo "FAILED: $*"
    sed 's/^/    /' log
    failures=$((failures + 1))
}
expect() {
    code=$1
    shift
    timeout 100 "$@" > log 2>&1
    got=$?
    [ "$got" = "$code" ] || complain "$*: exit code $got, expected $code"
}
says() {
    grep -qF -- "$1" log || complain "the output lacks '$1'"
}
matches() {
    grep -q -e "$1" log || complain "no line of the output matches '$1'"
}
few() {
    { cat "$here/few.yaml" && printf '%s\n' "$@"; } > few.yaml
}
stand_in() {
    mkdir bin
    cp "$1" bin/altgrad
    {
        echo '#!/bin/sh'
        echo "case \" \$* \" in *\" --preflight \"*) exec '$2' \"\$@\" ;; esac"
        cat
    } > bin/altgrad-train
    chmod +x bin/altgrad-train
}
await() {
    for _ in $(seq 1500); do
        "$@" && return
        sleep 0.02
    done
    complain "waited in vain: $*"
}
ends() {
    wait "$2"
    got=$?
    [ "$got" = "$1" ] || complain "the command in the background: exit code $got, expected $1"
}
sum_up() {
    [ "$failures" = 0 ]
}
