/* What is stored of a run, as rows: writer, reader and index all go by these tables. A column is
 * added by a member and a row; it is never renamed or removed, since files outlive versions and
 * scripts know the names. */
#include "fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "h5.h"
#include "record/record.h"
#include "run/run.h"
#include "run/run_json.h"
#include "run/run_status.h"

/* A column is a member of a plain struct: where it stands is taken off the struct, so that a table
 * cannot speak of another member than it names. */
#define SUMMARY(member) offsetof(ag_run_summary, member), sizeof((ag_run_summary *)0)->member

const ag_column ag_summary_columns[] = {
    {"id",                AG_CELL_TEXT, SUMMARY(id)               },
    {"status",            AG_CELL_TEXT, SUMMARY(status)           },
    {"reason",            AG_CELL_TEXT, SUMMARY(reason)           },
    {"orphan",            AG_CELL_I8,   SUMMARY(orphan)           },
    {"seed",              AG_CELL_I64,  SUMMARY(seed)             },
    {"steps",             AG_CELL_I64,  SUMMARY(steps)            },
    {"loss",              AG_CELL_F64,  SUMMARY(loss)             },
    {"val_loss",          AG_CELL_F64,  SUMMARY(val_loss)         },
    {"val_loss_hp",       AG_CELL_F64,  SUMMARY(val_loss_hp)      },
    {"final_val_loss",    AG_CELL_F64,  SUMMARY(final_val_loss)   },
    {"final_val_loss_hp", AG_CELL_F64,  SUMMARY(final_val_loss_hp)},
    {"clipped",           AG_CELL_I64,  SUMMARY(clipped)          },
    {"skipped",           AG_CELL_I64,  SUMMARY(skipped)          },
    {"entropy_rate",      AG_CELL_F64,  SUMMARY(entropy_rate)     },
    {"recorded",          AG_CELL_TEXT, SUMMARY(recorded)         },
    {"weights_digest",    AG_CELL_TEXT, SUMMARY(weights_digest)   },
    {"initial_digest",    AG_CELL_TEXT, SUMMARY(initial_digest)   },
};
const size_t ag_n_summary_columns = sizeof ag_summary_columns / sizeof ag_summary_columns[0];

#define TIMING(member) offsetof(ag_timing, member), sizeof((ag_timing *)0)->member

const ag_column ag_timing_columns[] = {
    {"train_s",      AG_CELL_F64,  TIMING(train_s)     },
    {"eval_s",       AG_CELL_F64,  TIMING(eval_s)      },
    {"total_s",      AG_CELL_F64,  TIMING(total_s)     },
    {"tokens_per_s", AG_CELL_F64,  TIMING(tokens_per_s)},
    {"host",         AG_CELL_TEXT, TIMING(host)        },
    {"rank",         AG_CELL_I64,  TIMING(rank)        },
    {"blas",         AG_CELL_TEXT, TIMING(blas)        },
    {"build",        AG_CELL_TEXT, TIMING(build)       },
};
const size_t ag_n_timing_columns = sizeof ag_timing_columns / sizeof ag_timing_columns[0];

/* Not in files of before there were trunks. */
const ag_column ag_trunk_columns[] = {
    {"trunk_steps", AG_CELL_I64,  TIMING(trunk_steps)},
    {"trunk_run",   AG_CELL_TEXT, TIMING(trunk_run)  },
};
const size_t ag_n_trunk_columns = sizeof ag_trunk_columns / sizeof ag_trunk_columns[0];

#define TENSOR(member) offsetof(ag_tensor_row, member), sizeof((ag_tensor_row *)0)->member

const ag_column ag_tensor_columns[] = {
    {"name",  AG_CELL_TEXT,  TENSOR(name) },
    {"dtype", AG_CELL_TEXT,  TENSOR(dtype)},
    {"rank",  AG_CELL_I8,    TENSOR(rank) },
    {"shape", AG_CELL_SHAPE, TENSOR(shape)},
    {"bytes", AG_CELL_I64,   TENSOR(bytes)},
    {"crc32", AG_CELL_U32,   TENSOR(crc32)},
};
const size_t ag_n_tensor_columns = sizeof ag_tensor_columns / sizeof ag_tensor_columns[0];

ag_cell ag_cell_of_series(const ag_series *series)
{
    static const ag_cell cells[AG_SERIES_TYPES] = {[AG_SERIES_FLAG] = AG_CELL_I8,
                                                   [AG_SERIES_WHOLE] = AG_CELL_I64,
                                                   [AG_SERIES_REAL] = AG_CELL_F64};
    return cells[series->type];
}

/* Half a character at the end of a cell would make the whole table unreadable to h5py, which
 * decodes it as UTF-8. */
void ag_copy_text(char *to, size_t size, const char *text)
{
    size_t length = strlen(text);
    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--;
    }
    memset(to, 0, size); /* a cell is written whole */
    snprintf(to, size, "%.*s", (int)length, text);
}

/* NaN where a run of no steps has no such value. */
static double last_of(const double *values, int64_t count)
{
    return count > 0 ? values[count - 1] : NAN;
}

static int64_t count_set(const uint8_t *flags, int64_t count)
{
    int64_t set = 0;
    for (int64_t i = 0; i < count; i++)
        set += flags[i] != 0;
    return set;
}

/* Empty, which says nothing, where it is too long. */
static void tell_recorded(char *recorded, size_t size, const ag_run *run)
{
    ag_text text;
    ag_text_init(&text);
    ag_run_recorded(&text, run);
    if (!text.failed && text.length < size)
        memcpy(recorded, text.data, text.length + 1);
    ag_text_deinit(&text);
}

/* What a run says of itself, computed once, when its file is written: the index copies it and never
 * computes. */
void ag_run_summary_of(ag_run_summary *summary, const ag_record *record)
{
    ag_run_status status = record->outcome == AG_OUTCOME_DIVERGED ? AG_RUN_DIVERGED : AG_RUN_DONE;
    *summary = (ag_run_summary){
        .seed = record->run->seed,
        .steps = record->steps,
        .loss = last_of(record->loss, record->steps),
        .val_loss = last_of(record->val_loss, record->evals),
        .val_loss_hp = last_of(record->val_loss_hp, record->evals),
        .final_val_loss = record->final_val_loss,
        .final_val_loss_hp = record->final_val_loss_hp,
        .clipped = count_set(record->clipped, record->steps),
        .skipped = count_set(record->skipped, record->steps),
        .entropy_rate = record->entropy_rate,
    };
    tell_recorded(summary->recorded, sizeof summary->recorded, record->run);
    snprintf(summary->id, sizeof summary->id, "%s", record->run->id);
    snprintf(summary->status, sizeof summary->status, "%s", ag_run_status_words[status]);
    ag_copy_text(summary->reason, sizeof summary->reason, record->reason);
    snprintf(summary->weights_digest, sizeof summary->weights_digest, "%s", record->digest);
    snprintf(summary->initial_digest, sizeof summary->initial_digest, "%s", record->digest_initial);
}
