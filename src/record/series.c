/* Names, units and descriptions are part of the file format: none of them ever changes. */
#include "record/series.h"

#include <string.h>

#include "record/record.h"

#define NATS "nats/token"

#define FLAG AG_SERIES_FLAG
#define WHOLE AG_SERIES_WHOLE
#define REAL AG_SERIES_REAL
#define STEPS AG_OVER_STEPS
#define EVALS AG_OVER_EVALS
#define WINDOWS AG_OVER_WINDOWS
#define AT(member) offsetof(ag_record, member)

// clang-format off
const ag_series ag_record_series[AG_RECORD_SERIES] = {
    {"metrics/loss",      REAL,  STEPS,   AT(loss),             NATS, "training loss of each step, before its update"},
    {"metrics/grad_norm", REAL,  STEPS,   AT(grad_norm),        "1",  "2-norm of the whole gradient, before clipping"},
    {"metrics/lr",        REAL,  STEPS,   AT(lr),               "1",  "learning rate of each step"},
    {"metrics/clipped",   FLAG,  STEPS,   AT(clipped),          "1",  "1 for each step whose gradient was clipped"},
    {"metrics/skipped",   FLAG,  STEPS,   AT(skipped),          "1",  "1 for each step that updated nothing, its loss or gradient being not finite"},
    {"val/eval_step",     WHOLE, EVALS,   AT(eval_step),        "1",  "steps trained before the evaluation"},
    {"val/val_loss",      REAL,  EVALS,   AT(val_loss),         NATS, "validation loss on the fixed eval.windows, with the run's quantisers"},
    {"val/val_loss_hp",   REAL,  EVALS,   AT(val_loss_hp),      NATS, "validation loss of the same weights on the same windows, without quantisers"},
    {"final_windows",     REAL,  WINDOWS, AT(final_windows),    NATS, "loss of each window of the whole validation part after the last step, with the run's quantisers"},
    {"final_windows_hp",  REAL,  WINDOWS, AT(final_windows_hp), NATS, "loss of each window of the whole validation part after the last step, without quantisers"},
};
// clang-format on

const char *ag_series_name(const ag_series *series)
{
    const char *slash = strrchr(series->path, '/');
    return slash != NULL ? slash + 1 : series->path;
}

size_t ag_series_size(const ag_series *series)
{
    static const size_t sizes[AG_SERIES_TYPES] = {[AG_SERIES_FLAG] = sizeof(uint8_t),
                                                  [AG_SERIES_WHOLE] = sizeof(int64_t),
                                                  [AG_SERIES_REAL] = sizeof(double)};
    return sizes[series->type];
}

size_t ag_series_row_bytes(ag_series_over over)
{
    size_t bytes = 0;
    for (size_t i = 0; i < AG_RECORD_SERIES; i++)
        bytes += ag_record_series[i].over == over ? ag_series_size(&ag_record_series[i]) : 0;
    return bytes;
}
