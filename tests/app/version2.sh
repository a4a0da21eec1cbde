#!/bin/sh
# version2.sh ALTGRAD PYTHON: a kept file of format_version 2 is read by every
# command that reads results, and its run has the same bits when it is trained again.
set -u
altgrad=$1 python=$2
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
gzip -dc "$here/version2.h5.gz" > old.h5
"$python" -c "import h5py
file = h5py.File('old.h5')
assert file.attrs['format_version'] == 2, 'no file of the second version'
print('%.6f' % file['index']['final_val_loss'][0])" > value || complain "h5py cannot read it"
value=$(cat value)
expect 0 "$altgrad" summary old.h5 --format csv
says "${value%??}"
expect 0 "$altgrad" status old.h5
says "1 done, 0 diverged"
expect 0 "$altgrad" check old.h5
says "nothing is damaged"
expect 0 "$altgrad" reproduce old.h5
says "1 of 1 runs are the same bit for bit"
expect 0 "$altgrad" export old.h5 --to model
expect 0 "$altgrad" sample old.h5 --tokens 5
expect 0 "$altgrad" merge new.h5 old.h5
says "1 new run"
few "seeds: 1" "formats: [{name: low, all: E4M3}]" "optimizer: {warmup: 1}"
expect 0 "$altgrad" plan few.yaml -o old.h5
says "1 kept, 0 to train"
sum_up
