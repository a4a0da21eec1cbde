#include "record/samples.h"

#include "run/run.h"

bool ag_samples_due(const ag_run *run, int64_t step)
{
    int64_t every = run->observe.quant_every;
    if (run->observe.diagnostics == 0)
        return false;
    return step == 0 || step == run->train.steps - 1 || (every > 0 && step % every == 0);
}

int64_t ag_samples_before(const ag_run *run, int64_t steps)
{
    int64_t every = run->observe.quant_every;
    int64_t last = run->train.steps - 1;
    if (run->observe.diagnostics == 0 || steps <= 0)
        return 0;
    int64_t regular = every > 0 ? (steps - 1) / every + 1 : 1;
    bool last_is_regular = last == 0 || (every > 0 && last % every == 0);
    return regular + (steps > last && !last_is_regular);
}
