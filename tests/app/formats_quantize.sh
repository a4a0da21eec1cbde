#!/bin/sh
# altgrad formats and altgrad quantize as a user meets them. usage: formats_quantize.sh ALTGRAD
altgrad=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# expect CODE PART COMMAND...: exit code, and a part of what it prints
expect() {
    code=$1
    part=$2
    shift 2
    "$@" >"$work/out" 2>&1 </dev/null
    got=$?
    [ $got -eq "$code" ] || fail "$* exits with $got, not $code"
    grep -q -e "$part" "$work/out" || fail "$* does not say '$part' but: $(head -n 3 "$work/out")"
}

# quantize INPUT EXPECTED OPTIONS...: float32 words in hexadecimal, low byte first
quantize() {
    # shellcheck disable=SC2059 # octal escapes
    printf "$1" >"$work/in"
    expected=$2
    shift 2
    got=$("$altgrad" quantize "$@" <"$work/in" | od -A n -v -t x1 | tr -d ' \n')
    [ "$got" = "$expected" ] || fail "quantize $*: $got, not $expected"
}

expect 0 "ALIASES" "$altgrad" formats
expect 0 "^e4m3fn  *8  *4  *3  *7  *fn  *448  *0.015625  *0.001953125  *-  *yes  *float8_e4m3fn e4m3$" \
    "$altgrad" formats
expect 0 "^e7m0f .* 1.844674e+19  *2.168404e-19  *-  " "$altgrad" formats
expect 0 "max  *57344 (0x1.cp+15)" "$altgrad" formats E5M2
expect 0 "^7f  nan" "$altgrad" formats e4m3 --codes
expect 0 "^7e  0x1.cp+8  *448$" "$altgrad" formats e4m3 --codes
expect 0 '"max": 0.9921875, "min_normal": 0, ' "$altgrad" formats e0m7 --json
expect 0 '{"code": 124, "hex": "inf", "value": null}' "$altgrad" formats e5m2 --json --codes
expect 0 "examples:" "$altgrad" formats --help
expect 0 "^mxfp8  *OCP MX" "$altgrad" formats
expect 0 "^  grad_output.wgrad  *e2m1f/nv/amax/stochastic/hadamard$" "$altgrad" formats --recipes
expect 0 "^wgrad .* tokens .* grad_output .*stochastic, Hadamard" "$altgrad" formats nvfp4
expect 0 "One copy of weight serves both" "$altgrad" formats block128
expect 0 "e3m4f, blocks of 1x128" "$altgrad" formats e3m4/1x128
expect 0 '"input.wgrad": null' "$altgrad" formats row_gw_hp --json
[ "$("$altgrad" formats --recipes --json | grep -c '"name"')" -eq 14 ] || fail "not 14 recipes"
expect 2 "did you mean 'mxfp8'" "$altgrad" formats mxfp9
expect 2 "no granularity 'rows'" "$altgrad" formats e4m3/rows
expect 2 "is a recipe" "$altgrad" formats mxfp8 --codes
expect 2 "did you mean 'e4m3fn'" "$altgrad" formats e4m3fm
expect 2 "no option '--code5'" "$altgrad" formats --code5
expect 2 "needs a NAME" "$altgrad" formats --codes
expect 2 "one format at a time" "$altgrad" formats e4m3 e5m2
expect 2 "2^32 codes" "$altgrad" formats fp32 --codes
[ "$("$altgrad" formats fp16 --codes | wc -l)" -eq 65536 ] || fail "fp16 has 65536 codes"

# 0.1 -> 0.1015625; 1000 -> 448, or 4 * Q(250) = 1024; -0.0 stays
quantize '\315\314\314\075\000\000\172\104\000\000\000\200' 0000d03d0000e04300000080 E4M3
quantize '\000\000\172\104' 0000c07f E4M3 --overflow special
quantize '\000\000\172\104' 0000807f float8_e4m3 --overflow special
quantize '\000\000\172\104' 00008044 E4M3 --scale 0.0625 --round nearest --scale 0x1p-2
quantize '\315\314\314\075' 0000c03d E4M3 --round zero
quantize '' '' E4M3

# 0.1 lies 3/5 of the way from 0.09375 to 0.1015625: both appear, and a seed repeats its choice
head -c 4096 /dev/zero | LC_ALL=C sed 's/\x00\x00\x00\x00/\xcd\xcc\xcc\x3d/g' >"$work/tenths"
"$altgrad" quantize E4M3 --round stochastic --seed 7 <"$work/tenths" >"$work/a"
"$altgrad" quantize E4M3 --round stochastic --seed 7 <"$work/tenths" >"$work/b"
"$altgrad" quantize E4M3 --round stochastic --seed 8 <"$work/tenths" >"$work/c"
cmp -s "$work/a" "$work/b" || fail "one seed gave two results"
cmp -s "$work/a" "$work/c" && fail "two seeds gave one result"
[ "$(od -A n -v -t x4 -w4 "$work/a" | sort -u | tr -d ' \n')" = 3dc000003dd00000 ] ||
    fail "stochastic rounding left the two neighbours"

# a matrix of two rows, 3 and 0.1, 3.4 and 1. MXFP4 by row: 3 has the scale 2^-1, in which 0.1 is
# below half a step; by column 0.1 has that of 1, 2^-2, and is half a unit
matrix='\000\000\100\100\315\314\314\075\232\231\131\100\000\000\200\077'
quantize "$matrix" 0000404000000000000040400000803f e2m1/mx --cols 2
quantize "$matrix" 000040400000003e000040400000803f e2m1/mx --cols 2 --sum rows
quantize '' '' e2m1/nv
# in one block, 100 becomes 3 * 32 and 5.5 nothing
quantize '\000\000\310\102\000\000\260\100' 0000c04200000000 e2m1/mx
expect 2 "no whole number of rows" sh -c "printf '$matrix' | '$altgrad' quantize e2m1/mx --cols 3"
expect 2 "are for a format with a granularity" "$altgrad" quantize e2m1 --cols 2
expect 2 "round is for a format alone" "$altgrad" quantize e2m1/mx --round zero
expect 2 "is not cols or rows" "$altgrad" quantize e2m1/mx --sum all
expect 2 "is no number of columns" "$altgrad" quantize e2m1/mx --cols 0
expect 2 "add '--sum rows'" "$altgrad" quantize e2m1/mx/e8m0floor/nearest/hadamard

# a stream longer than any buffer comes out whole, whatever pieces it arrives in
head -c 1000000 /dev/urandom >"$work/noise"
"$altgrad" quantize fp16 <"$work/noise" >"$work/whole"
(head -c 13 "$work/noise"; sleep 0.1; tail -c +14 "$work/noise") | "$altgrad" quantize fp16 >"$work/pieces"
[ "$(wc -c <"$work/whole")" -eq 1000000 ] || fail "the stream was cut"
cmp -s "$work/whole" "$work/pieces" || fail "pieces of the input changed the output"

expect 0 "example:" "$altgrad" quantize --help
expect 2 "which format" "$altgrad" quantize
expect 2 "one format at a time" "$altgrad" quantize e4m3 e5m2
expect 2 "there is no format 'e4m3x'" "$altgrad" quantize e4m3x
expect 2 "exponent bits" "$altgrad" quantize e9m1
expect 2 "'up' is not nearest" "$altgrad" quantize e4m3 --round up
expect 2 "is no number from" "$altgrad" quantize e4m3 --scale 0
expect 2 "is no number from" "$altgrad" quantize e4m3 --scale nan
expect 2 "is no number from" "$altgrad" quantize e4m3 --scale 1x
expect 2 "is no whole number" "$altgrad" quantize e4m3 --seed -1
expect 2 "not saturate or special" "$altgrad" quantize e4m3 --overflow wrap
expect 2 "needs a value" "$altgrad" quantize e4m3 --scale
printf 'abcdef' >"$work/six"
expect 2 "6 bytes" sh -c "'$altgrad' quantize e4m3 <'$work/six' >'$work/rest'"
expect 3 "cannot read" sh -c "'$altgrad' quantize e4m3 <'$work' >'$work/rest'"
if [ -c /dev/full ]; then
    expect 3 "cannot write to standard output" sh -c "'$altgrad' formats >/dev/full"
    expect 3 "cannot write to standard output" sh -c "'$altgrad' quantize e4m3 <'$work/noise' >/dev/full"
    expect 3 "cannot write to standard output" sh -c "'$altgrad' quantize --help >/dev/full"
fi
expect 3 "cannot write to standard output" sh -c "'$altgrad' formats >&-"
if script -qec true /dev/null >/dev/null 2>&1; then # not without /dev/pts, as in some containers
    expect 2 "not written to a terminal" script -qec "'$altgrad' quantize e4m3 <'$work/six'" /dev/null
fi

[ $failures -eq 0 ]
