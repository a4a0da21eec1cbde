#!/bin/sh
# make_man.sh FOLDER ALTGRAD TRAIN: writes the manual pages of both programs and of every command
# into FOLDER, from what their --help prints, so that the two can never differ.
#
# A help text is, in this order: usage, paragraphs and lists ("  -o OUT   what it does"), exit codes,
# an example, whatever follows it.
set -eu
folder=$1 altgrad=$2 train=$3
today=$(date -u ${SOURCE_DATE_EPOCH:+-d "@$SOURCE_DATE_EPOCH"} +%Y-%m-%d)
version=$("$altgrad" --version | sed -n '1s/+.*//p')
mkdir -p "$folder"

# page NAME SUMMARY SEE: the page of a help text on standard input
page() {
    awk -v name="$1" -v summary="$2" -v see="$3" -v today="$today" -v version="$version" '
    function plain(text) {              # what troff would take for something else
        gsub(/\\/, "\\e", text)
        gsub(/-/, "\\-", text)
        if (text ~ /^[.'"'"']/)
            text = "\\&" text
        return text
    }
    function section(title) {
        printf ".SH %s\n", title
        in_list = was_blank = 0
    }
    BEGIN {
        printf ".TH %s 1 %s \"%s\" \"User Commands\"\n", toupper(plain(name)), today, version
        section("NAME")
        printf "%s \\- %s\n", plain(name), plain(summary)
    }
    /^usage:/ {
        section("SYNOPSIS")
        print ".nf"
        part = "usage"
        sub(/^usage: /, "")
    }
    part == "usage" && /^$/ {
        print ".fi"
        section("DESCRIPTION")
        part = "text"
        next
    }
    part == "usage" { sub(/^       /, ""); print plain($0); next }
    part == "" { next }                 # a title before the usage
    /^[Ee]xit codes:/ && part != "exit" {
        section("EXIT STATUS")
        part = "exit"
        sub(/^[Ee]xit codes: */, "")
    }
    /^examples?:/ {
        section("EXAMPLES")
        print ".nf"
        part = "example"
        sub(/^examples?: /, "")
    }
    part == "example" && /^[^ ]/ && was_blank {
        print ".fi"
        part = "text"
    }
    /^$/ { was_blank = 1; next }
    part == "example" {
        if (was_blank)
            print ""
        was_blank = 0
        sub(/^          ?/, "")
        print plain($0)
        next
    }
    {
        match($0, /^ */)
        indent = RLENGTH
        sub(/^ */, "")
        if (part == "text" && indent > 0 && indent < 8) {
            at = match($0, /  +/)
            print ".TP"
            printf ".B %s\n", plain(at ? substr($0, 1, at - 1) : $0)
            $0 = at ? substr($0, at + RLENGTH) : ""
            in_list = 1
        } else if (was_blank && (indent == 0 || !in_list)) {
            print ".PP"
            in_list = 0
        }
        was_blank = 0
        if ($0 != "")
            print plain($0)
    }
    END {
        if (part == "example")
            print ".fi"
        section("SEE ALSO")
        n = split(see, pages, " ")
        for (i = 1; i <= n; i++)
            printf ".BR %s (1)%s\n", plain(pages[i]), i < n ? "," : ""
    }'
}

commands=$("$altgrad" --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
pages=
for command in $commands; do
    [ "$command" != help ] || continue
    pages="$pages altgrad-$command"
    summary=$("$altgrad" --help | sed -n "s/^  $command  *//p")
    "$altgrad" help "$command" | page "altgrad-$command" "$summary" altgrad \
        > "$folder/altgrad-$command.1"
done
"$train" --help | page altgrad-train "train one run" "altgrad altgrad-plan" \
    > "$folder/altgrad-train.1"
# last: the build takes it for the sign that all are there
"$altgrad" --help | page altgrad "$("$altgrad" --help | sed -n '1s/^altgrad: //p')" \
    "${pages# } altgrad-train" > "$folder/altgrad.1"
