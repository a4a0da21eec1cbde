#!/bin/sh
# replicates.sh ALTGRAD PYTHON MPIEXEC: models are trained, then quantised. Trained models are
# replicates of a quantisation, seeds of one model are not.
altgrad=$1
python=$2
mpiexec=$3
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"

few 'formats: [BF16, E4M3]' 'seeds: 3'
sed 's/^name: few/name: models/' few.yaml > models.yaml
expect 0 "$mpiexec" -n 2 "$altgrad" run models.yaml --progress none

# quantise NAME INIT [LINE...]: writes NAME.yaml, which quantises what INIT names
quantise() {
    name=$1
    init=$2
    shift 2
    few 'formats: [BF16, E2M1]' 'seeds: 3' 'compare: {margin: 0.05}' "$@"
    sed -e "s/^name: few/name: $name/" -e 's/steps: 3/steps: 0/' \
        -e "s/block_size: 8}/block_size: 8, init: {file: models.h5$init}}/" few.yaml > "$name.yaml"
}
# counts NAME N: every cell of the summary, and of the analysis, has N runs
counts() {
    "$altgrad" summary "$1.h5" --json > log
    "$python" -B - "$here/../../analysis" "$1.h5" "$2" >> log 2>&1 <<'END' || complain "$1: not $2"
import json, math, sys
sys.path.insert(0, sys.argv[1])
from altgrad_analysis import Results
path, n = sys.argv[2], int(sys.argv[3])
cells = json.load(open("log"))["cells"]
results = Results(path)
table = results.table()
assert len(cells) == len(table) == 2, cells
for cell, (_, row) in zip(cells, table.iterrows()):
    assert cell["done"] == cell["pairs"] == row["done"] == row["pairs"] == n, (cell, row)
    spread = cell["sd"] is not None and cell["sd"] > 0
    assert spread == (n > 1) and math.isnan(row["sd"]) == (n == 1), cell
    assert math.isclose(cell["mean"], row["mean"]), (cell, row)
assert len(results.index) == 2 * n and len(results.labels) == 6, results.index
assert (cells[1]["half_width"] is not None) == (n > 1), cells
END
}

# three trained models
quantise paired ', where: {format: bf16}'
expect 0 "$altgrad" plan paired.yaml
says '6 combinations = 6 runs'
expect 0 "$mpiexec" -n 2 "$altgrad" run paired.yaml --progress none
matches '^         E2M1        3  [0-9.]* ± 0\.[0-9]*[1-9]'
counts paired 3
expect 0 "$altgrad" check paired.h5
expect 0 "$altgrad" reproduce paired.h5

# one model, whose seeds decide nothing
"$altgrad" plan models.yaml --json 2> log > plan.json
first=$("$python" -c 'import json; print(json.load(open("plan.json"))["runs"][0]["id"])')
quantise one ", run: $first"
expect 0 "$altgrad" plan one.yaml
says '6 combinations - 4 that differ in the seed alone = 2 runs'
says 'seeds fold: no random number has a part'
says "replicates are trained models, which 'model.init.where: {format: BF16}' takes"
expect 0 "$mpiexec" -n 2 "$altgrad" run one.yaml --progress none
matches '^         E2M1        1  [0-9.]*  '
counts one 1
expect 0 "$altgrad" status one.h5
says 'runs      2: 2 done, '
# named by its labels it is the same; nothing is trained again
quantise one ', where: {format: BF16, seed: 0}'
expect 0 "$altgrad" plan one.yaml
says '2 kept, 0 to train'

# what is wrong is told before anything is trained
refuses() {
    quantise bad "$1"
    expect 2 "$altgrad" run bad.yaml
    says "$2"
    if [ -e bad.h5 ] || [ -e bad.h5.d ]; then
        complain 'something was written'
    fi
}
says_where='bad.yaml:4:90: error: model.init.where: '
refuses ', where: {formt: BF16}' "$says_where$work/models.h5: the grid has no axis 'formt'; did"
refuses ', where: {format: E4M9}' "axis 'format' of the grid has no point 'E4M9'; did you mean"
refuses ', where: {format: BF16, seed: 7}' "has no point '7' (its points are 0, 1, 2); a run starts"
refuses ', where: {seed: 1}' '2 runs have {seed: 1}; say which one by format: '
says ' (BF16 seed=1), '
refuses '' "holds 6 runs; say which one is meant by 'model.init.run: ID', or by its labels"
says "$first (BF16 seed=0), "
few 'formats: [BF16, E4M3]' 'seeds: 3' 'exclude: [{format: E4M3, seed: 1}]'
sed 's/^name: few/name: models/' few.yaml > models.yaml
expect 0 "$altgrad" run models.yaml --progress none
refuses ', where: {format: E4M3}' 'no run has all of {format: E4M3, seed: 1}; its axes are format ('
few 'formats: [BF16, E4M3]' 'seeds: 4'
sed 's/^name: few/name: models/' few.yaml > models.yaml
expect 0 "$altgrad" run models.yaml --progress none --only seed=0
refuses ', where: {format: BF16, seed: 3}' '(BF16 seed=3) is pending: run its experiment to the end'
# those that are there are read while the others are still to come
quantise spooled ', where: {format: BF16}'
expect 0 "$altgrad" run spooled.yaml --progress none
counts spooled 3

# ten models are not listed one by one
few 'formats: [BF16, E4M3]' 'seeds: 5'
sed 's/^name: few/name: models/' few.yaml > models.yaml
expect 0 "$altgrad" run models.yaml --progress none
refuses '' 'models.h5 holds 10 runs; say which one'
matches '(E4M3 seed=2) and 2 more$'

# models of the first version of the results, packed and spooled
tar xzf "$here/version1/results.tar.gz"
first_version() {
    few 'formats: [BF16, E2M1]' 'seeds: 2'
    sed -e "s/^name: few/name: $1/" -e 's/steps: 3/steps: 0/' -e 's/tokens: 2000, seed: 1/&0/' \
        -e "s/n_embd: 16, block_size: 8}/n_embd: 8, block_size: 4, init: {file: $2}}/" \
        few.yaml > "$1.yaml"
}
first_version packed1 'packed.h5, where: {format: BF16}'
expect 0 "$altgrad" run packed1.yaml --progress none
matches '^         E2M1        2  [0-9.]* ± 0\.[0-9]*[1-9]'
first_version spooled1 'spooled.h5, where: {format: special, seed: 0}'
expect 2 "$altgrad" run spooled1.yaml --progress none
says '(special seed=0) diverged: its weights are no trained model; name another run'
first_version spooled1 'spooled.h5, where: {format: BF16}'
expect 2 "$altgrad" run spooled1.yaml --progress none
says '(BF16 seed=0) is pending: run its experiment to the end, or name another run'

sum_up
