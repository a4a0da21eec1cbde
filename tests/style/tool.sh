# What the style tests share; sourced by them.
#   need TOOL VERSION    skips the test unless TOOL is here, and of that version: what it finds and
#                        how it lays out code differs from one version to the next
# shellcheck shell=sh

need() {
    command -v "$1" >/dev/null || { echo "skipped: $1 is not installed"; exit 77; }
    version=$("$1" --version | sed -n 's/.*version:* \([0-9]*\.[0-9]*\).*/\1/p')
    [ "$version" = "$2" ] || { echo "skipped: this wants $1 $2, here is $version"; exit 77; }
}
