/* Who started this process: mpirun, srun, or nobody who would tell it of other ranks. Asked before
 * MPI_Init, since a program that is started by hand must run without an MPI runtime, and since some
 * combinations of launcher and library end in MPI_Init itself. */
#include <limits.h>
#include <mpi.h>
#include <stdlib.h>

#include "base/log.h"
#include "farm_internal.h"

static int variable_as_int(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? atoi(text) : 0;
}

/* Variables in which launchers say how many processes they started. */
typedef struct launcher {
    const char *variable;
    const char *name;
} launcher;

static const launcher s_sizes[] = {
    {"OMPI_COMM_WORLD_SIZE", "Open MPI's mpirun"         },
    {"PMI_SIZE",             "a launcher that speaks PMI"},
    {"MV2_COMM_WORLD_SIZE",  "MVAPICH's launcher"        },
    {"MPI_LOCALNRANKS",      "MPICH's mpiexec"           },
    {"PALS_SIZE",            "PALS's mpiexec"            },
    {"FLUX_JOB_SIZE",        "flux run"                  },
    {"JSM_NAMESPACE_SIZE",   "jsrun"                     },
};

/* Variables by which Open MPI, MPICH, SLURM and PMIx tell a process that it is a rank. */
bool ag_launcher_present(void)
{
    static const char *const signs[] = {"OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE",
                                        "PMIX_RANK"};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        if (getenv(signs[i]) != NULL)
            return true;
    }
    for (size_t i = 0; i < sizeof s_sizes / sizeof s_sizes[0]; i++) {
        if (variable_as_int(s_sizes[i].variable) > 1)
            return true;
    }
    return false;
}

/* Tasks of the srun that this process is one of; 0 without srun. SLURM_NTASKS does not tell: batch
 * scripts have it too. */
static int srun_tasks(void)
{
    return variable_as_int("SLURM_STEP_NUM_TASKS");
}

/* Few builds of Open MPI know PMI-1 and PMI-2, and without them MPI_Init ends the process by
 * itself, in words that name no cure. */
static void warn_of_old_pmi(void)
{
#ifdef OPEN_MPI
    if (srun_tasks() > 1 && getenv("PMI_RANK") != NULL && getenv("PMIX_RANK") == NULL &&
        variable_as_int("SLURM_PROCID") == 0)
        ag_log(AG_LOG_WARNING, "srun speaks PMI-1 or PMI-2 here. Where MPI does not start: "
                               "'srun --mpi=pmix', or mpirun instead of srun");
#endif
}

/* Collective: every rank that starts MPI is asked. */
static int count_ranks_here(void)
{
    MPI_Comm here;
    int count = 1;
    if (MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here) !=
        MPI_SUCCESS)
        return 1;
    MPI_Comm_size(here, &count);
    MPI_Comm_free(&here);
    return count;
}

int ag_launcher_start_mpi(void)
{
    warn_of_old_pmi();
    MPI_Init(NULL, NULL);
    return count_ranks_here();
}

static ag_status refuse(const launcher *by, int promised)
{
    return ag_fail(AG_ERR_SYSTEM,
                   "%s started %d processes (%s=%d), but this program's MPI sees one rank: they "
                   "would not know each other, and write the same results. Use the mpirun of the "
                   "MPI library that altgrad was built with. Where just one process is meant: "
                   "start one, or unset %s",
                   by->name, promised, by->variable, promised, by->variable);
}

/* The innermost launcher counts: `mpirun -n 1` inside of a larger step means one. */
ag_status ag_launcher_check(int ranks)
{
    int rank = variable_as_int("PMIX_RANK");
    if (ranks > 1)
        return AG_OK;
    for (size_t i = 0; i < sizeof s_sizes / sizeof s_sizes[0]; i++) {
        int promised = variable_as_int(s_sizes[i].variable);
        if (promised > 0)
            return promised > 1 ? refuse(&s_sizes[i], promised) : AG_OK;
    }
    if (rank > 0 && rank < INT_MAX) /* PMIx says no number of ranks */
        return refuse(&(launcher){"PMIX_RANK", "a launcher that speaks PMIx"}, rank + 1);
    if (srun_tasks() > 1)
        return ag_fail(AG_ERR_SYSTEM,
                       "srun started %d tasks, but MPI knows of one only: use 'srun --mpi=pmix', "
                       "or mpirun instead of srun. Where just one process is meant: srun -n 1, or "
                       "unset SLURM_STEP_NUM_TASKS",
                       srun_tasks());
    return AG_OK;
}
