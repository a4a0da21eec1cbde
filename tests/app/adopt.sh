#!/bin/sh
# adopt.sh ALTGRAD PYTHON: runs that another experiment has trained already are taken, and no others.
set -u
altgrad=$1 python=$2
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
digests() { # of the runs that are complete
    "$python" -c "import h5py, sys
for row in h5py.File(sys.argv[1])['index'][...]:
    if row['weights_digest']: print(row['id'].decode(), row['weights_digest'].decode())" "$1"
}
few "seeds: 2"
expect 0 "$altgrad" run few.yaml -o two.h5 --progress none
few "seeds: 3"
cp few.yaml three.yaml
expect 2 "$altgrad" adopt new.h5 two.h5
says "says which runs to take"
expect 2 "$altgrad" adopt new.h5 --experiment three.yaml missing.h5
says "no such results file"
[ ! -e new.h5 ] || complain "a file was left behind"
expect 0 "$altgrad" adopt new.h5 --experiment three.yaml two.h5
says "2 new runs from 1 part"
says "1 pending"
expect 0 "$altgrad" adopt new.h5 two.h5
says "0 new runs"
digests two.h5 > before
expect 0 "$altgrad" run three.yaml -o new.h5 --progress none
digests new.h5 > after
[ "$(grep -c . after)" = 3 ] || complain "not three runs"
! grep -v -x -F -f after before || complain "a run that was taken is another now"
few "seeds: 1" "optimizer: {lr: 0.5}"
expect 0 "$altgrad" run few.yaml -o other.h5 --progress none
expect 2 "$altgrad" adopt new.h5 other.h5
says "it has none of its runs"
sum_up
