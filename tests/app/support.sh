# Sourced by scripts here at their beginning: goes into an empty folder, which goes with them, and
# counts what fails. What the commands under test say goes to the file log.
#   complain TEXT            a failure, with the log
#   expect CODE COMMAND...   runs it; CODE is its exit code
#   says TEXT                the log holds it; matches REGEX: a line of the log does
#   sum_up                   last: the script's exit code
# shellcheck shell=sh
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
sum_up() {
    [ "$failures" = 0 ]
}
