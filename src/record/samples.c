/* Which steps are sampled is a function of the configuration alone, never of what was sampled
 * before: so a run that goes on from a checkpoint samples the same steps as one that was never
 * interrupted. */
#include "record/samples.h"

#include "run/run.h"

bool ag_samples_due(const ag_run *run, int64_t step)
{
    int64_t every = run->observe.quant_every;
    if (run->observe.diagnostics == 0)
        return false;
    int64_t first = run->train.start_step;
    return step == first || step == run->train.steps - 1 ||
           (step > first && every > 0 && step % every == 0);
}

/* Closed form of counting ag_samples_due over the steps before: the trainer asks it at each
 * checkpoint, and for the size of the table before the first step. */
int64_t ag_samples_before(const ag_run *run, int64_t steps)
{
    int64_t every = run->observe.quant_every;
    int64_t first = run->train.start_step;
    int64_t last = run->train.steps - 1;
    if (run->observe.diagnostics == 0 || steps <= first)
        return 0;
    int64_t regular = every > 0 ? (steps - 1) / every - first / every + 1 : 1;
    bool last_is_regular = last == first || (every > 0 && last % every == 0);
    return regular + (steps > last && !last_is_regular);
}
