#!/bin/sh
# command_lines.sh ALTGRAD TRAIN: command lines, files and streams that are wrong. Each gives its exit
# code and a message, and leaves nothing behind.
set -u
altgrad=$1 train=$2
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
mkdir folder
mkfifo pipe
ln -s pipe link
: > empty
printf 'no YAML, no HDF5\377\n' > text
few "seeds: 1"
"$altgrad" plan few.yaml --json | sed -n 2p > run.json # a run a line
"$altgrad" run few.yaml -o few.h5 --progress none > summary.txt 2>&1
head -c 3000 few.h5 > cut.h5
files() {
    find . ! -name out ! -name log | sort
}
before=$(files)

# code | a part of the message | command
while IFS='|' read -r code message command; do
    timeout 60 sh -c "$command" > out 2> log < /dev/null
    got=$?
    left=$(files)
    if [ "$got" != "$code" ] || ! grep -q -F -- "$message" log || [ "$left" != "$before" ]; then
        complain "$command: exit code $got, expected $code and '$message'"
        echo "$left" | grep -v -x -F "$before" | sed 's/^/    left behind: /'
    fi
done <<END
2|usage: altgrad|$altgrad
2|did you mean 'plan'|$altgrad plam
0|usage: altgrad plan|$altgrad help plan >&2
2|did you mean 'plan'|$altgrad help plam
0|altgrad 0.|$altgrad -V >&2
0|libraries: |$altgrad --version >&2
0|--version  this program|$altgrad --help >&2
3|ALTGRAD_PRODUCTS: no products are called 'scalar': expected one of portable|ALTGRAD_PRODUCTS=scalar $altgrad --version
3|ALTGRAD_PRODUCTS: no products are called 'scalar'|ALTGRAD_PRODUCTS=scalar $altgrad bench --steps 1
3|ALTGRAD_PRODUCTS: no products are called 'scalar'|ALTGRAD_PRODUCTS=scalar $train -o bad.h5 < run.json
3|ALTGRAD_PRODUCTS: no products are called 'scalar'|ALTGRAD_PRODUCTS=scalar $altgrad run few.yaml -o bad.h5
2|which experiment file|$altgrad plan
2|has no name|$altgrad plan ''
2|there is no option '--layer-cake'|$altgrad plan few.yaml --layer-cake
2|--set needs a value|$altgrad plan few.yaml --set
2|there is no parameter 'no.such'|$altgrad plan few.yaml --set=no.such=2 -oout.h5
2|--layers=1': this option takes no value|$altgrad plan few.yaml --layers=1
2|--help=3': this option takes no value|$altgrad plan few.yaml --help=3
2|there is no option '-x'|$altgrad run few.yaml -x
2|there is no option '-x'|$altgrad plan --json -xq few.yaml
2|'--s' may be --set or --shard|$altgrad run few.yaml --s
2|there is no option '--=3'|$altgrad run few.yaml --=3
2|-o needs a value|$altgrad run few.yaml -o
2|is a directory|$altgrad plan folder
2|No such file|$altgrad plan missing.yaml
2|is empty|$altgrad plan empty
2|UTF-8|$altgrad plan text
2|at most 1048576 bytes|$altgrad plan /dev/zero
2|no axis 'shoe'|$altgrad plan few.yaml --only shoe=1
2|from 1 to 1000000|$altgrad plan few.yaml --ranks 0
3|standard output|$altgrad plan few.yaml > /dev/full
3|standard output|$altgrad plan few.yaml --json > /dev/full
3|standard output|$altgrad plan --help >&-
2|which experiment file|$altgrad run
2|is a directory|$altgrad run folder
2|takes auto, tty, plain or none|$altgrad run few.yaml --progress loud
3|not an HDF5 file; it is left|$altgrad run few.yaml -o text
3|text/few.h5|$altgrad run few.yaml -o text/few.h5
3|/proc/few.h5|$altgrad run few.yaml -o /proc/few.h5
2|which results file|$altgrad summary
2|no such results file|$altgrad summary missing.h5
2|results file is expected here: its own is few.h5|$altgrad summary few.yaml
2|results file is expected here: its own is few.h5|$altgrad status few.yaml
2|results file is expected here: its own is few.h5|$altgrad check few.yaml
2|results file is expected here: its own is few.h5|$altgrad pack few.yaml
2|results file is expected here: its own is few.h5|$altgrad stop few.yaml
2|results file is expected here: its own is few.h5|$altgrad prune few.yaml
2|results file is expected here: its own is few.h5|$altgrad reproduce few.yaml
2|results file is expected here: its own is few.h5|$altgrad export few.yaml --to new
2|which results file|$altgrad export --to new
2|into which file, and from which|$altgrad adopt few.h5
2|which results file|$altgrad sample
2|expected a number from 0 on|$altgrad sample few.h5 --temperature cold
2|from 0 to 7|$altgrad sample few.h5 --prompt '3 8'
2|is not there yet|$altgrad adopt new.h5 few.h5
2|results file is expected here: its own is few.h5|$altgrad adopt few.h5 few.yaml
2|where to?|$altgrad export few.h5
2|one of them at a time|$altgrad export few.h5 --tables new --to new
2|no RUN is named|$altgrad export few.h5 format=BF16 --tables new
2|results file is expected here|$altgrad export few.yaml --tables new
2|no completed run is meant by zz|$altgrad export few.h5 zz --to new
2|results file is expected here: its own is few.h5|$altgrad merge new.h5 few.yaml few.h5
2|few.h5 is a results file (HDF5)|$altgrad run few.h5
2|few.h5 is a results file (HDF5)|$altgrad plan few.h5
2|a folder, not a results file|$altgrad summary folder
2|a folder, not a results file|$altgrad run few.yaml -o folder
2|pipe: a device, pipe or socket|$altgrad run few.yaml -o pipe
2|pipe: a device, pipe or socket|$altgrad run few.yaml -o link
2|pipe: a device, pipe or socket|$altgrad merge link few.h5
2|pipe: a device, pipe or socket|$altgrad plan few.yaml -o link
3|not an HDF5 file|$altgrad summary empty
3|a damaged HDF5 file|$altgrad summary cut.h5
2|there is no metric 'mood'|$altgrad summary few.h5 --metric mood
2|did you mean 'text'|$altgrad summary few.h5 --format tex
2|there is layers|$altgrad summary few.h5 --best lr
2|other than format and seed|$altgrad summary few.h5 --across seed
2|of all seeds|$altgrad summary few.h5 --only seed=0
2|no point 'E9'|$altgrad summary few.h5 --only format=E9
3|standard output|$altgrad summary few.h5 > /dev/full
0|uniform|(trap '' CHLD; exec $altgrad summary few.h5 >&2)
2|which results file|$altgrad pack
3|a damaged HDF5 file|$altgrad pack cut.h5
2|no section or key|$altgrad params ''
2|there is no format|$altgrad formats ''
2|which format|$altgrad quantize
2|few.h5 is a results file (HDF5)|$altgrad quantize nf4 --experiment few.h5
2|--scale: 'nan'|$altgrad quantize E4M3 --scale nan
2|not a multiple of 4|printf abc | $altgrad quantize E4M3
3|standard input|$altgrad quantize E4M3 <&-
3|standard input|$altgrad quantize E4M3 < folder
3|standard output|head -c 99999 /dev/zero | $altgrad quantize E4M3 > /dev/full
3|standard output|$train --help > /dev/full
2|is empty|$train
3|standard input|$train <&-
2|one of them|$altgrad status few.h5 --json --watch
0|1 done|$altgrad status few.h5 --watch >&2
2|which results file|$altgrad report
2|from 1 to 86400|$altgrad report few.h5 --live --every 0
2|is an experiment file|$altgrad report few.yaml
2|there is no option '--color'|$altgrad report few.h5 --color
3|no program 'no-python'|ALTGRAD_PYTHON=no-python $altgrad report few.h5
2|unexpected argument|$train run.json
2|not valid JSON|$train < text
2|not valid JSON|head -c 100 run.json | $train
2|not valid JSON|cat run.json run.json | $train
2|expected|sed 's/"n_embd":16/"n_embd":-1/' run.json | $train
2|id|sed 's/"n_embd":16/"n_embd":32/' run.json | $train
2|is a folder|$train -o folder < run.json
2|not a regular file|$train -o /dev/full < run.json
3|missing/x.h5|$train -o missing/x.h5 < run.json
2|has no name|$train -o '' < run.json
3|descriptor 9|$train --result-fd 9 9>&- < run.json
2|descriptor 9|$train --result-fd 9 9> /dev/full < run.json
END

# closed streams: a message must not land in the results
"$train" -o closed.h5 < run.json >&- 2>&-
"$altgrad" run few.yaml -o again.h5 <&- >&- 2>&-
for file in closed.h5 again.h5; do
    "$altgrad" summary "$file" > log 2>&1
    grep -q -e 'uniform' -e "'altgrad-run', not 'altgrad-results'" log ||
        complain "$file is damaged by closed streams"
done

# what a plan says of its data, and of the time, which a run has shown
expect 0 "$altgrad" plan few.yaml -o few.h5
matches 'training tokens, .* validation tokens, vocabulary of'
matches 'core time .* of the runs in the results: .* GFLOP/s'
expect 0 "$altgrad" plan few.yaml -o new.h5
matches 'core time .*a rough guess'
sum_up
