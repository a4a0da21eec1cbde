/* The processor cores that this process may use. */
#ifndef AG_PROC_CORES_H
#define AG_PROC_CORES_H

/* Cores in this process's affinity mask; a core with two hardware threads counts once. At least 1.
 */
int ag_cores_allowed(void);

/* The threads that a trainer of this process takes by itself: the cores that a launcher bound to
 * it, as `mpirun --map-by slot:PE=4`, `srun --cpus-per-task` and taskset do, shared with the other
 * `ranks` - 1 of this host where the mask leaves them no cores of their own. 1 where nothing binds:
 * the cores are then everybody's. */
int ag_cores_bound(int ranks);

#endif
