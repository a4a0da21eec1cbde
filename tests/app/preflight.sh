#!/bin/bash
# preflight.sh ALTGRAD TRAIN MPIEXEC: ranks that cannot train, or not alike, are refused before
# anything is written, in one message that names rank and host. On one machine, so a script in the
# place of altgrad-train does on rank 1, when it is asked, what the file "deed" says.
set -u
altgrad=$1 train=$2 mpiexec=$3
# shellcheck source=tests/app/support.sh
. "$(dirname "$0")/support.sh"
host=$(uname -n)
mkdir bin other
cp "$altgrad" bin/altgrad
cat > fake <<END
#!/bin/bash
asked=
case " \$* " in *" --preflight "*" --rank 1 "* | *" --rank 1 "*" --preflight "*) asked=1 ;; esac
[ -n "\$asked" ] || exec "$train" "\$@"
case \$(cat deed) in
library) echo "altgrad-train: error while loading shared libraries: libx.so.1" >&2; exit 127 ;;
crash) kill -SEGV \$\$ ;;
data) sed "\$(cat script)" > in.\$\$; exec "$train" "\$@" < in.\$\$ ;;
report) # what the real one reports, but changed
    "$train" "\${@/#\$PPID/\$\$}" || exit # --parent
    text=\$(sed "\$(cat script)" /proc/self/fd/3)
    printf '%s\n' "\$text" > /proc/self/fd/3 ;;
chatter) echo chatter > /proc/self/fd/3 ;;
hang) : > hangs; exec sleep 1000 ;;
esac
END
chmod +x fake
cp fake bin/altgrad-train
echo "to be or not to be, that is the question: whether it is nobler" > text.txt
tr a-y b-z < text.txt > other.txt
cat > few.yaml << END
altgrad: 1
name: few
model: {n_layer: 1, n_head: 1, n_embd: 64, block_size: 8}
data: {text: text.txt, val_fraction: 0.5}
train: {steps: 3, batch_size: 2}
eval: {windows: 2}
seeds: 8
END

# by_rank FIRST SECOND ARGUMENTS: another program on rank 1; `A : B` crashes mpirun of Open MPI 5.0.7
cat > by_rank << 'END'
#!/bin/sh
[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" = 0 ] && program=$1 || program=$2
shift 2
exec "$program" "$@"
END
printf '#!/bin/sh\nexec env ALTGRAD_PRODUCTS=portable bin/altgrad "$@"\n' > portable
chmod +x by_rank portable

nothing_is_left() {
    [ "$(grep -c 'altgrad: error' log)" = 1 ] || complain "not one error"
    if [ -e out.h5 ] || [ -e out.h5.d ]; then complain "something was written"; fi
}
# refused DEED SCRIPT TEXT...: two ranks, of which the second does the deed
refused() {
    echo "$1" > deed
    echo "$2" > script
    shift 2
    expect 3 "$mpiexec" -n 2 bin/altgrad run few.yaml -o out.h5 --progress plain
    for text in "$@"; do
        says "$text"
    done
    nothing_is_left
}

refused library "" "rank 1 on $host cannot train: altgrad-train ended with exit code 127" \
    "libx.so.1" "load the same modules"
refused crash "" "rank 1 on $host cannot train: altgrad-train was killed by SIGSEGV"
refused data s/text.txt/gone.txt/ "rank 1 on $host cannot train" "gone.txt" "o such file" \
    "under the same path"
refused data s/text.txt/other.txt/ "rank 1 on $host cannot train" "digest" "under the same path"
refused chatter "" "rank 1 on $host cannot train: its altgrad-train reports something else"
refused report 's/"build": "[^"]*"/"build": "0.0.9"/' \
    "rank 1 on $host has an altgrad-train of build 0.0.9 beside its altgrad"
refused report 's/"memory": {[^}]*/"memory": {"limit": 90000000, "held": 80000000, "source": "the-limit"/' \
    "$host has too little memory" "train 1 run at a time" "of 86 MiB (the-limit) 10 are left" "--mem"
rm bin/altgrad-train
expect 3 "$mpiexec" -n 2 bin/altgrad run few.yaml -o out.h5
says "rank 0 on $host cannot train, nor can 1 other"
says "which belongs beside altgrad"
nothing_is_left

# another build on rank 1: the same bytes but for its name
build=$("$altgrad" --version | sed -n 's/^altgrad //p')
LC_ALL=C sed "s/$(printf %s "$build" | sed 's/[.]/\\./g')/$(printf %s "$build" | tr -c '' 9)/g" \
    "$altgrad" > other/altgrad
cp "$train" bin/altgrad-train
cp "$train" other/altgrad-train
chmod +x other/altgrad
expect 3 "$mpiexec" -n 2 ./by_rank bin/altgrad other/altgrad run few.yaml -o out.h5
says "rank 1 on $host runs altgrad $(printf %s "$build" | tr -c '' 9), rank 0 on $host $build: start"
nothing_is_left

# more threads than cores are told, and are no error; ranks with other engines are as good as any
rm -f bin/altgrad-train
cp "$train" bin/altgrad-train
ask=$(($(nproc) + 1))
expect 0 taskset -c "$(taskset -cp $$ | sed 's/.*[ ,-]//')" \
    bin/altgrad run few.yaml -o slow.h5 --progress plain --set run.threads=2 --only seed=0
says "$host: run.threads asks for 2 threads (1 rank), and it has 1 core: runs get slower"
says "1 at a time, 2 threads each"
expect 0 "$mpiexec" -n 2 bin/altgrad run few.yaml -o slow.h5 --progress plain --set run.threads=$ask
says "run.threads asks for $((2 * ask)) threads (2 ranks)"
expect 0 "$mpiexec" -n 2 ./by_rank ./portable bin/altgrad run few.yaml -o mixed.h5
"$altgrad" reproduce mixed.h5 > log 2>&1 || complain "other bits by another engine"

# what is complete already needs nobody who could train; a stop does not wait for an answer
expect 0 "$mpiexec" -n 2 bin/altgrad run few.yaml -o done.h5
cp fake bin/altgrad-train
echo crash > deed
expect 0 "$mpiexec" -n 2 bin/altgrad run few.yaml -o done.h5
echo hang > deed
"$mpiexec" -n 2 bin/altgrad run few.yaml -o out.h5 > log 2>&1 &
while [ ! -e hangs ] && kill -0 $! 2> /dev/null; do sleep 0.02; done
kill -USR1 $!
wait $!
got=$?
case $got in
75) ;;
0) expect 75 bin/altgrad status out.h5 ;; # MPICH may lose the exit code after a signal
*) complain "exit code $got after SIGUSR1" ;;
esac
sum_up
