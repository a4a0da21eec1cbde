/* Memory for a record, its sections in a checkpoint, and the verdict on a run that came to its end.
 * What the arrays are stands in series.c. */
#include "record/record.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "record/samples.h"
#include "record/series.h"
#include "run/digest.h"
#include "run/run.h"
#include "run/tensors.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "digests are over little-endian floats");

_Static_assert((int)AG_RECORD_SERIES <= (int)AG_KEPT_CURVES, "a start has those of the steps");
_Static_assert((int)AG_RECORD_SERIES + 1 <= (int)AG_RECORD_SECTIONS,
               "each array may become a section, and one more");

/* Rows of sampled steps that are behind the run. */
size_t ag_samples_sections(ag_section sections[AG_SAMPLES_SECTIONS], const ag_record *record,
                           int64_t steps)
{
    const ag_samples *samples = &record->samples;
    size_t rows = (size_t)ag_samples_before(record->run, steps);
    if (samples->width == 0)
        return 0;
    sections[0] = (ag_section){"sampled_step", samples->step, rows * sizeof *samples->step};
    sections[1] =
        (ag_section){"samples", samples->values, rows * samples->width * sizeof *samples->values};
    return 2;
}

/* The windows' losses are left out: they come into being after the last step, when no checkpoint is
 * written any more. */
size_t ag_record_sections(ag_section sections[AG_RECORD_SECTIONS], const ag_record *record,
                          int64_t steps, int64_t evals)
{
    const int64_t lengths[AG_OVERS] = {[AG_OVER_STEPS] = steps, [AG_OVER_EVALS] = evals};
    size_t count = 0;
    for (size_t i = 0; i < AG_RECORD_SERIES; i++) {
        const ag_series *series = &ag_record_series[i];
        if (series->over == AG_OVER_WINDOWS)
            continue;
        ag_section *section = &sections[count++];
        *section = (ag_section){.name = ag_series_name(series),
                                .bytes = (size_t)lengths[series->over] * ag_series_size(series)};
        memcpy(&section->data, (const char *)record + series->data, sizeof section->data);
    }
    sections[count++] =
        (ag_section){"nonfinite", (char *)record->nonfinite, sizeof record->nonfinite};
    return count;
}

/* NaN says "there is none" wherever a number may be missing: 0 would be a loss. */
ag_status ag_record_make(ag_record *record, const ag_run *run, int64_t max_evals, int64_t windows,
                         ag_arena *arena)
{
    *record = (ag_record){.run = run,
                          .final_val_loss = NAN,
                          .final_val_loss_hp = NAN,
                          .windows = windows,
                          .entropy_rate = NAN};
    const int64_t lengths[AG_OVERS] = {run->train.steps, max_evals, windows};
    for (size_t i = 0; i < AG_RECORD_SERIES; i++) {
        const ag_series *series = &ag_record_series[i];
        size_t bytes = (size_t)lengths[series->over] * ag_series_size(series);
        void *array = ag_arena_alloc(arena, bytes);
        if (array == NULL)
            return ag_fail(AG_ERR_SYSTEM, "out of memory for the metrics of %lld steps",
                           (long long)run->train.steps);
        memcpy((char *)record + series->data, &array, sizeof array);
    }
    return AG_OK;
}

size_t ag_record_bytes(const ag_run *run, int64_t max_evals, int64_t windows)
{
    const int64_t lengths[AG_OVERS] = {run->train.steps, max_evals, windows};
    size_t bytes = 0;
    for (size_t i = 0; i < AG_RECORD_SERIES; i++) {
        const ag_series *series = &ag_record_series[i];
        bytes += ag_arena_rounded((size_t)lengths[series->over] * ag_series_size(series));
    }
    return bytes;
}

/* The training loss is asked first: where both are not finite, the last step is the earlier cause,
 * and the one that a user can look for in the curve. */
const char *ag_divergence(double final_val_loss, double last_loss, int64_t steps,
                          char reason[AG_REASON_SIZE])
{
    if (steps > 0 && !isfinite(last_loss))
        snprintf(reason, AG_REASON_SIZE, "the loss of step %lld, the last, is not finite",
                 (long long)steps - 1);
    else if (!isfinite(final_val_loss) && steps > 0)
        snprintf(reason, AG_REASON_SIZE, "the validation loss after step %lld is not finite",
                 (long long)steps);
    else if (!isfinite(final_val_loss))
        snprintf(reason, AG_REASON_SIZE,
                 "the validation loss of the initial weights is not finite");
    else
        return NULL;
    return reason;
}

/* A run that was stopped while it diverged has its reason already, with the step at which it
 * happened. */
void ag_record_judge(ag_record *record)
{
    int64_t steps = record->steps;
    double loss = steps > 0 ? record->loss[steps - 1] : NAN;
    if (record->outcome == AG_OUTCOME_DONE &&
        ag_divergence(record->final_val_loss, loss, steps, record->reason) != NULL)
        record->outcome = AG_OUTCOME_DIVERGED;
}

/* Tensor by tensor: between them lies padding, which is no part of the weights. */
ag_status ag_weights_digest(char hex[AG_DIGEST_LENGTH + 1], const ag_tensor_table *tensors,
                            const float *weights)
{
    ag_sha256 *hash = NULL;
    AG_TRY(ag_sha256_create(&hash));
    for (size_t i = 0; i < tensors->count; i++) {
        const ag_tensor *tensor = &tensors->rows[i];
        ag_sha256_add(hash, weights + tensor->offset, tensor->count * sizeof *weights);
    }
    ag_sha256_hex(hash, hex);
    ag_sha256_destroy(hash);
    return AG_OK;
}
