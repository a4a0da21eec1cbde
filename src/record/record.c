#include "record/record.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "record/samples.h"
#include "run/digest.h"
#include "run/run.h"
#include "run/tensors.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "digests are over little-endian floats");

/* One array of a record: where its pointer stands, and how long it is. */
typedef enum length { STEPS, EVALS, WINDOWS } length;

typedef struct array_row {
    const char *name;
    size_t offset; /* of the pointer, in ag_record */
    size_t size;   /* of an element, in bytes */
    length length;
} array_row;

#define AT(member) #member, offsetof(ag_record, member), sizeof *((ag_record *)0)->member

static const array_row s_arrays[] = {
    {AT(loss),             STEPS  },
    {AT(grad_norm),        STEPS  },
    {AT(lr),               STEPS  },
    {AT(clipped),          STEPS  },
    {AT(skipped),          STEPS  },
    {AT(eval_step),        EVALS  },
    {AT(val_loss),         EVALS  },
    {AT(val_loss_hp),      EVALS  },
    {AT(final_windows),    WINDOWS},
    {AT(final_windows_hp), WINDOWS},
};

enum { N_ARRAYS = sizeof s_arrays / sizeof s_arrays[0] };
_Static_assert(N_ARRAYS + 3 <= (int)AG_RECORD_SECTIONS, "every array may become a section");

static size_t bytes_of(const array_row *row, const ag_run *run, int64_t max_evals, int64_t windows)
{
    const int64_t lengths[] = {
        [STEPS] = run->train.steps, [EVALS] = max_evals, [WINDOWS] = windows};
    return (size_t)lengths[row->length] * row->size;
}

static size_t add_samples(ag_section *sections, const ag_record *record, int64_t steps)
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

size_t ag_record_sections(ag_section sections[AG_RECORD_SECTIONS], const ag_record *record,
                          int64_t steps, int64_t evals)
{
    const int64_t lengths[] = {[STEPS] = steps, [EVALS] = evals};
    size_t count = 0;
    for (size_t i = 0; i < N_ARRAYS; i++) {
        const array_row *row = &s_arrays[i];
        if (row->length == WINDOWS)
            continue;
        ag_section *section = &sections[count++];
        *section =
            (ag_section){.name = row->name, .bytes = (size_t)lengths[row->length] * row->size};
        memcpy(&section->data, (const char *)record + row->offset, sizeof section->data);
    }
    sections[count++] =
        (ag_section){"nonfinite", (char *)record->nonfinite, sizeof record->nonfinite};
    return count + add_samples(sections + count, record, steps);
}

ag_status ag_record_make(ag_record *record, const ag_run *run, int64_t max_evals, int64_t windows,
                         ag_arena *arena)
{
    *record = (ag_record){.run = run,
                          .final_val_loss = NAN,
                          .final_val_loss_hp = NAN,
                          .windows = windows,
                          .entropy_rate = NAN};
    for (size_t i = 0; i < N_ARRAYS; i++) {
        void *array = ag_arena_alloc(arena, bytes_of(&s_arrays[i], run, max_evals, windows));
        if (array == NULL)
            return ag_fail(AG_ERR_SYSTEM, "out of memory for the metrics of %lld steps",
                           (long long)run->train.steps);
        memcpy((char *)record + s_arrays[i].offset, &array, sizeof array);
    }
    return AG_OK;
}

size_t ag_record_bytes(const ag_run *run, int64_t max_evals, int64_t windows)
{
    size_t bytes = 0;
    for (size_t i = 0; i < N_ARRAYS; i++)
        bytes += ag_arena_rounded(bytes_of(&s_arrays[i], run, max_evals, windows));
    return bytes;
}

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

void ag_record_judge(ag_record *record)
{
    int64_t steps = record->steps;
    double loss = steps > 0 ? record->loss[steps - 1] : NAN;
    if (record->outcome == AG_OUTCOME_DONE &&
        ag_divergence(record->final_val_loss, loss, steps, record->reason) != NULL)
        record->outcome = AG_OUTCOME_DIVERGED;
}

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
