#!/bin/sh
# altgrad formats and altgrad quantize as a user meets them. usage: formats_quantize.sh ALTGRAD
set -u
altgrad=$1
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"

# answers CODE REGEX COMMAND...: exit code, and a part of what it prints
answers() {
    wanted=$2
    code=$1
    shift 2
    expect "$code" "$@" < /dev/null
    matches "$wanted"
}

# quantize INPUT EXPECTED OPTIONS...: float32 words in hexadecimal, low byte first
quantize() {
    # shellcheck disable=SC2059 # octal escapes
    printf "$1" >in
    expected=$2
    shift 2
    got=$("$altgrad" quantize "$@" <in | od -A n -v -t x1 | tr -d ' \n')
    [ "$got" = "$expected" ] || complain "quantize $*: $got, not $expected"
}

answers 0 "ALIASES" "$altgrad" formats
answers 0 "^e4m3fn  *8  *4  *3  *7  *fn  *448  *0.015625  *0.001953125  *-  *yes  *float8_e4m3fn e4m3$" \
    "$altgrad" formats
answers 0 "^e7m0f .* 1.844674e+19  *2.168404e-19  *-  " "$altgrad" formats
answers 0 "max  *57344 (0x1.cp+15)" "$altgrad" formats E5M2
answers 0 "^7f  nan" "$altgrad" formats e4m3 --codes
answers 0 "^7e  0x1.cp+8  *448$" "$altgrad" formats e4m3 --codes
answers 0 '"max": 0.9921875, "min_normal": 0, ' "$altgrad" formats e0m7 --json
answers 0 '{"code": 124, "hex": "inf", "value": null}' "$altgrad" formats e5m2 --json --codes
answers 0 "examples:" "$altgrad" formats --help
answers 0 "^mxfp8  *OCP MX" "$altgrad" formats
answers 0 "^  grad_output.wgrad  *e2m1f/nv/amax/stochastic/hadamard$" "$altgrad" formats --recipes
answers 0 "^wgrad .* tokens .* grad_output .*stochastic, Hadamard" "$altgrad" formats nvfp4
answers 0 "One copy of weight serves both" "$altgrad" formats block128
answers 0 "e3m4f, blocks of 1x128" "$altgrad" formats e3m4/1x128
answers 0 '"input.wgrad": null' "$altgrad" formats row_gw_hp --json
shown=$("$altgrad" formats --recipes | grep -c '^[a-z]')
[ "$shown" -ge 14 ] || complain "$shown recipes, not 14 or more"
[ "$("$altgrad" formats --recipes --json | grep -c '"name"')" -eq "$shown" ] ||
    complain "others in the JSON than the $shown recipes that are shown"
answers 0 "^nf4  *4  *16  1 .* 0.0795803  *NormalFloat4" "$altgrad" formats
answers 0 "^takum8  *8  *223  " "$altgrad" formats
answers 0 "^values  *-1 -0.696192801 -0.525073051" "$altgrad" formats NF4
answers 0 "^40  0x1p+0  *1$" "$altgrad" formats posit8_2 --codes
answers 0 "^80  nan" "$altgrad" formats posit8_2 --codes
answers 0 '{"name": "nf4", "bits": 4, .*"kind": "table", "max": 1,' "$altgrad" formats --json
answers 0 '{"code": 7, "hex": "0x0p+0", "value": 0}' "$altgrad" formats nf4 --json --codes
answers 0 "^kind  *p$" "$altgrad" formats binary8p3se
answers 0 "^7f  inf" "$altgrad" formats binary8p3se --codes
answers 0 "nf4, blocks of 1x64" "$altgrad" formats nf4/1x64/absmax

# the tables of an experiment, of which nothing else is read: its data are not here
cat >mine.yaml <<'END'
altgrad: 1
data: {train: no_such.txt}
tables:
  thirds: {values: [null, null, null, -3, 0, 0.75, 3], ties: away}
  normal: {values: nf4}
formats: [thirds, no_such_format]
END
mine='--experiment mine.yaml'
# shellcheck disable=SC2086 # two words
{
answers 0 "^thirds  *2  *4  3  *0.75  *table-[0-9a-f]*$" "$altgrad" formats $mine
answers 0 "^nf4 .* bitsandbytes has it; also 'normal'$" "$altgrad" formats $mine
answers 0 '{"name": "table-.*"max": 3, .*"aliases": \["thirds"\]}' "$altgrad" formats --json $mine
answers 0 "^values  *-3 0 0.75 3$" "$altgrad" formats Thirds $mine
answers 0 "^aliases  *thirds$" "$altgrad" formats thirds $mine
answers 0 "^aliases  *none$" "$altgrad" formats nf4
# codes are those of the list, the first three of which are no numbers
answers 0 "^2  nan" "$altgrad" formats thirds --codes $mine
answers 0 "^6  0x1.8p+1  *3$" "$altgrad" formats thirds --codes $mine
[ "$("$altgrad" formats thirds --codes $mine | wc -l)" -eq 7 ] || complain "not seven codes"
answers 0 "table-[0-9a-f]*, MX blocks of 32" "$altgrad" formats thirds/mx/e8m0floor $mine
# 0.375 and 1.875 lie in the middle: away from zero. 0.25 becomes 0; under mx, 4 has the scale 2
quantize '\000\000\300\076\000\000\360\077\000\000\200\076' 0000403f0000404000000000 thirds $mine
quantize '\000\000\200\100\000\000\000\100' 0000c0400000c03f thirds/mx/e8m0rceil $mine
answers 2 "did you mean the table 'thirds'" "$altgrad" formats third $mine
answers 2 "did you mean the table 'thirds'" "$altgrad" quantize third $mine
}
answers 2 "there is no format 'thirds'" "$altgrad" quantize thirds
answers 2 "needs a value" "$altgrad" formats --experiment
answers 2 "cannot .*no_such.yaml" "$altgrad" quantize thirds --experiment no_such.yaml
printf 'altgrad: 1\nformats: [BF16]\n' >none.yaml
answers 2 "none.yaml:1:1: error: this experiment defines no tables" "$altgrad" formats --experiment none.yaml
printf 'altgrad: 1\ntabels: {a: {values: [0, 1]}}\n' >keys.yaml
answers 2 "did you mean 'tables'" "$altgrad" formats --experiment keys.yaml
printf 'altgrad: 1\ntables: {a: {values: [0, one]}}\n' >words.yaml
answers 2 "words.yaml:2:26: error: values: 'one' is no number" "$altgrad" formats a --experiment words.yaml

answers 2 "did you mean 'mxfp8'" "$altgrad" formats mxfp9
answers 2 "no granularity 'rows'" "$altgrad" formats e4m3/rows
answers 2 "is a recipe" "$altgrad" formats mxfp8 --codes
answers 2 "did you mean 'e4m3fn'" "$altgrad" formats e4m3fm
answers 2 "no option '--code5'" "$altgrad" formats --code5
answers 2 "needs a NAME" "$altgrad" formats --codes
answers 2 "one format at a time" "$altgrad" formats e4m3 e5m2
answers 2 "2^32 codes" "$altgrad" formats fp32 --codes
[ "$("$altgrad" formats fp16 --codes | wc -l)" -eq 65536 ] || complain "fp16 has 65536 codes"

# 0.1 -> 0.1015625; 1000 -> 448, or 4 * Q(250) = 1024; -0.0 stays
quantize '\315\314\314\075\000\000\172\104\000\000\000\200' 0000d03d0000e04300000080 E4M3
# -1e-6, -0 and -1: emulated values keep the sign of zero, also where a format has no code for -0
for format in e4m3fnuz e5m2fnuz e4m3b11fnuz; do
    quantize '\275\067\006\266\000\000\000\200\000\000\200\277' 0000008000000080000080bf $format
done
answers 0 "emulated values keep their sign" "$altgrad" formats e4m3fnuz
quantize '\000\000\172\104' 0000c07f E4M3 --overflow special
quantize '\000\000\172\104' 0000807f float8_e4m3 --overflow special
quantize '\000\000\172\104' 00008044 E4M3 --scale 0.0625 --round nearest --scale 0x1p-2
quantize '\315\314\314\075' 0000c03d E4M3 --round zero
quantize '' '' E4M3
# 0.1 and -0.9 among NF4's values: 0.0795803 is nearer than 0.1609302, and -1 than -0.6961928
quantize '\315\314\314\075\146\146\146\277' fffaa23d000080bf nf4
quantize '\000\000\172\104\000\000\000\000' 0000804200000000 posit8_0

# 0.1 lies 3/5 of the way from 0.09375 to 0.1015625: both appear, and a seed repeats its choice
head -c 4096 /dev/zero | LC_ALL=C sed 's/\x00\x00\x00\x00/\xcd\xcc\xcc\x3d/g' >tenths
"$altgrad" quantize E4M3 --round stochastic --seed 7 <tenths >a
"$altgrad" quantize E4M3 --round stochastic --seed 7 <tenths >b
"$altgrad" quantize E4M3 --round stochastic --seed 8 <tenths >c
cmp -s a b || complain "one seed gave two results"
cmp -s a c && complain "two seeds gave one result"
[ "$(od -A n -v -t x4 -w4 a | sort -u | tr -d ' \n')" = 3dc000003dd00000 ] ||
    complain "stochastic rounding left the two neighbours"

# a matrix of two rows, 3 and 0.1, 3.4 and 1. MXFP4 by row: 3 has the scale 2^-1, in which 0.1 is
# below half a step; by column 0.1 has that of 1, 2^-2, and is half a unit
matrix='\000\000\100\100\315\314\314\075\232\231\131\100\000\000\200\077'
quantize "$matrix" 0000404000000000000040400000803f e2m1/mx --cols 2
quantize "$matrix" 000040400000003e000040400000803f e2m1/mx --cols 2 --sum rows
quantize '' '' e2m1/nv
# in one block, 100 becomes 3 * 32 and 5.5 nothing
quantize '\000\000\310\102\000\000\260\100' 0000c04200000000 e2m1/mx
answers 2 "do not fill whole rows" sh -c "printf '$matrix' | '$altgrad' quantize e2m1/mx --cols 3"
answers 2 "are for a format with a granularity" "$altgrad" quantize e2m1 --cols 2
answers 2 "round is for a format alone" "$altgrad" quantize e2m1/mx --round zero
answers 2 "is not cols or rows" "$altgrad" quantize e2m1/mx --sum all
answers 2 "is not a number of columns" "$altgrad" quantize e2m1/mx --cols 0

# Transformer Engine's signs, turned by them and the matrix of Hadamard: sqrt(16) and nothing else
plus='\000\000\200\077'
minus='\000\000\200\277'
zeros=$(printf '%0120d' 0)
quantize "$plus$plus$plus$minus$plus$minus$minus$minus$minus$minus$minus$plus$minus$plus$minus$minus" \
    "00008040$zeros" e2m1/mx/e8m0floor/nearest/hadamard

# a stream longer than any buffer comes out whole, whatever pieces it arrives in
head -c 1000000 /dev/urandom >noise
"$altgrad" quantize fp16 <noise >whole
(head -c 13 noise; sleep 0.1; tail -c +14 noise) | "$altgrad" quantize fp16 >pieces
[ "$(wc -c <whole)" -eq 1000000 ] || complain "the stream was cut"
cmp -s whole pieces || complain "pieces of the input changed the output"

answers 0 "example:" "$altgrad" quantize --help
answers 2 "which format" "$altgrad" quantize
answers 2 "one format at a time" "$altgrad" quantize e4m3 e5m2
answers 2 "there is no format 'e4m3x'" "$altgrad" quantize e4m3x
answers 2 "exponent bits" "$altgrad" quantize e9m1
answers 2 "'up' is not nearest" "$altgrad" quantize e4m3 --round up
answers 2 "is not a number from" "$altgrad" quantize e4m3 --scale 0
answers 2 "is not a number from" "$altgrad" quantize e4m3 --scale nan
answers 2 "is not a number from" "$altgrad" quantize e4m3 --scale 1x
answers 2 "is not a whole number" "$altgrad" quantize e4m3 --seed -1
answers 2 "not saturate or special" "$altgrad" quantize e4m3 --overflow wrap
answers 2 "needs a value" "$altgrad" quantize e4m3 --scale
printf 'abcdef' >six
answers 2 "6 bytes" sh -c "'$altgrad' quantize e4m3 <six >rest"
answers 3 "cannot read" sh -c "'$altgrad' quantize e4m3 <. >rest"
if [ -c /dev/full ]; then
    answers 3 "cannot write to standard output" sh -c "'$altgrad' formats >/dev/full"
    answers 3 "cannot write to standard output" sh -c "'$altgrad' quantize e4m3 <noise >/dev/full"
    answers 3 "cannot write to standard output" sh -c "'$altgrad' quantize --help >/dev/full"
fi
answers 3 "cannot write to standard output" sh -c "'$altgrad' formats >&-"
if script -qec true /dev/null >/dev/null 2>&1; then # not without /dev/pts, as in some containers
    answers 2 "not written to a terminal" script -qec "'$altgrad' quantize e4m3 <six" /dev/null
fi

sum_up
