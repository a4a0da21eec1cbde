#!/bin/bash
# check_ranks.sh ALTGRAD TRAIN MPIEXEC: a rank whose trainers all fail is set aside, and its runs are
# done elsewhere. A script in the place of altgrad-train fails on rank 1.
set -u
altgrad=$1 train=$2 mpiexec=$3
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
stand_in "$altgrad" "$train" <<END
case " \$* " in *" --rank 1 "*) echo "no disk here" >&2; exit 9 ;; esac
# a healthy rank alone would be through before
until [ "\$(grep -c "exit code 9" log)" -ge 3 ]; do sleep 0.02; done
exec "$train" "\$@"
END
few "seeds: 12" "run: {retries: 1}"

expect 0 "$mpiexec" -n 2 bin/altgrad run few.yaml -o out.h5 --progress plain
says "rank 1 failed 3 times in a row: it gets no more runs"
says "12/12 runs done"
case $(grep -c "ended with exit code 9" log) in
3 | 4) ;; # the run that it held may have begun
*) complain "neither three nor four failures" ;;
esac

few "seeds: 1"
expect 0 "$mpiexec" -n 2 "$altgrad" run few.yaml -o one.h5 --progress plain
says "2 ranks, but 1 run to train: 1 idle; mpirun -n 1 is enough"
sum_up
