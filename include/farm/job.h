/* Jobs as the farm sees them: bytes to hand out, bytes to bring back. What they mean is known to
 * the caller alone. */
#ifndef AG_FARM_JOB_H
#define AG_FARM_JOB_H

#include <stddef.h>
#include <stdint.h>

typedef enum ag_job_end {
    AG_JOB_DONE,
    AG_JOB_FAILED,    /* the reason tells why */
    AG_JOB_CANCELLED, /* it was stopped, or given back before it began: still to be done */
} ag_job_end;

/* The index of the job that ag_coordinator_survey gives to every rank; others are numbered from 0.
 */
enum { AG_JOB_SURVEY = -1 };

/* One attempt at a job. */
typedef struct ag_job {
    int64_t index; /* the caller's name for it */
    int32_t attempt;
    const char *bytes; /* the assignment */
    size_t size;
} ag_job;

typedef struct ag_job_progress {
    int64_t job;
    int32_t attempt;
    int rank;       /* of its supervisor */
    uint32_t phase; /* the worker's */
    int64_t step;   /* of `steps` */
    int64_t steps;  /* 0 while not known */
    double value;   /* what the worker wants to show */
    int64_t mark;   /* the worker's, like the next: its newest result on the way */
    double marked[2];
    double seconds; /* since it began */
} ag_job_progress;

typedef struct ag_job_result {
    int64_t job;
    int32_t attempt;
    int rank;
    ag_job_end end;
    uint32_t phase; /* the worker's last word, like value */
    double value;
    double seconds;     /* that it took */
    double spent_s;     /* the worker's own: of all attempts together */
    const char *reason; /* "" when done */
    const void *bytes;  /* only when done */
    size_t size;
} ag_job_result;

#endif
