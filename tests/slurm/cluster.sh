#!/bin/bash
# cluster.sh NODES CPUS COMMAND...: runs a command beside a SLURM of its own, of virtual nodes n1, n2,
# ... with CPUS each (they may be more than the machine has), in a scratch folder. By hand, too:
#     tests/slurm/cluster.sh 2 4 bash
# Host name, loopback network, processes and mounts are private and end with the command, and with
# them daemons and jobs; nothing outside the folder is touched. Exit code: the command's, or 77
# where such a cluster cannot be: it takes root, with the right to make namespaces, and munge,
# slurmctld, slurmd, slurm-client and iproute2.
set -euo pipefail

skip() {
    echo "no private SLURM here: $*" >&2
    exit 77
}

# The namespaces end with this shell's child; only then can the folder be removed.
enter() {
    [ "$(id -u)" = 0 ] || skip "it takes root"
    local needed
    for needed in munged slurmctld slurmd sbatch ip; do
        command -v "$needed" >/dev/null || skip "$needed is not installed"
    done
    local -a separate=(unshare --mount --uts --net --pid --fork --kill-child --mount-proc)
    "${separate[@]}" true 2>/dev/null || skip "root may not make namespaces"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    ALTGRAD_CLUSTER=$scratch "${separate[@]}" "$0" "$@"
}

# What is not obvious in it: cred_expire is how long a requeued job waits (SLURM's least; its default
# is 120 s); %n keeps the PMIx folders of nodes on one host apart; without RealMemory jobs may not
# say how much they need; linuxproc needs no cgroups.
write_configuration() {
    local node
    cat <<END
ClusterName=test
SlurmctldHost=login(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=6817
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$PWD/munge.socket,cred_expire=5
StateSaveLocation=$PWD/state
SlurmdSpoolDir=$PWD/spool/%n
SlurmctldPidFile=$PWD/slurmctld.pid
SlurmdPidFile=$PWD/slurmd.%n.pid
SlurmctldLogFile=$PWD/slurmctld.log
SlurmdLogFile=$PWD/slurmd.%n.log
TmpFS=$PWD/tmp/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=1
SlurmdParameters=config_overrides
KillWait=10
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
    for ((node = 1; node <= $1; node++)); do
        echo "NodeName=n$node NodeAddr=127.0.0.1 Port=$((6817 + node))" \
            "CPUs=$2 RealMemory=1000000 State=UNKNOWN"
    done
}

# Each node has a host name and a /dev/shm of its own: Open MPI tells hosts apart by name. Its
# processes end with that in node.NAME.pid: a test may cut its power.
start_node() {
    # shellcheck disable=SC2016 # for the inner shell
    unshare --uts --mount --pid --fork --kill-child --mount-proc sh -c 'hostname "$1" && mount -t tmpfs tmpfs /dev/shm &&
        exec slurmd -D -f "$2"' sh "$1" "$SLURM_CONF" >/dev/null 2>&1 &
    echo $! >"node.$1.pid"
}

start() {
    local node hosts=login
    for ((node = 1; node <= $1; node++)); do
        hosts="$hosts n$node"
        mkdir -p "spool/n$node" "tmp/n$node"
    done
    ip link set lo up
    ip address add 192.0.2.1/32 dev lo # SLURM resolves no name where 127.0.0.1 is all there is
    hostname login
    echo "127.0.0.1 localhost $hosts" >hosts
    mount --bind hosts /etc/hosts
    mkdir state
    export SLURM_CONF=$PWD/slurm.conf
    write_configuration "$@" >slurm.conf
    # slurmd starts without cgroups up to SLURM 23; from 24 on it has to be told
    case $(slurmd -V) in *\ 2[0-3].*) ;; *) echo "CgroupPlugin=disabled" >cgroup.conf ;; esac
    (umask 077 && head -c 128 /dev/urandom >munge.key)
    chmod 711 .
    munged --force --key-file="$PWD/munge.key" --socket="$PWD/munge.socket" \
        --pid-file="$PWD/munged.pid" --log-file="$PWD/munged.log" --seed-file="$PWD/munged.seed" \
        2>munged.err
    slurmctld -f slurm.conf
    for ((node = 1; node <= $1; node++)); do
        start_node "n$node"
    done
}

# Polls until every node is idle; slurmd takes about a second.
all_idle() {
    local limit=$((SECONDS + 60))
    until [ "$(sinfo -h -N -o %T 2>/dev/null | grep -cx idle)" = "$1" ]; do
        [ "$SECONDS" -lt "$limit" ] || return 1
        sleep 0.1
    done
}

# For Open MPI: root; nodes that share a loopback; jobs that share cores. PRTE_ is Open MPI 5's.
mpi_environment() {
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo
    export OMPI_MCA_hwloc_base_binding_policy=none PRTE_MCA_hwloc_default_binding_policy=none
    export PRTE_MCA_prte_if_include=lo
    export OMPI_MCA_btl_vader_single_copy_mechanism=none
    unset OMPI_MCA_plm # SLURM's own way to the other nodes
}

if [ -z "${ALTGRAD_CLUSTER:-}" ]; then
    enter "$@"
    exit
fi
cd "$ALTGRAD_CLUSTER"
unset ALTGRAD_CLUSTER
if ! start "$1" "$2" || ! all_idle "$1"; then
    tail -n 20 ./*.err ./*.log >&2
    echo "SLURM did not start" >&2
    exit 1
fi
mpi_environment
# Debian 13's Open MPI 5.0.7 crashes in any job: its `ras slurm` has a fault.
salloc -Q -n 1 mpirun true 2>mpirun.err || skip "mpirun itself fails in a job: $(cat mpirun.err)"
shift 2
mkdir work
cd work
"$@"
