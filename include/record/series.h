/* The arrays that a run leaves behind: the one list of their names, lengths, types and units. It
 * feeds the record's memory, the sections of a checkpoint, the datasets of the run file, /curves of
 * the results, and the size that a plan tells. A new array is a member of ag_record and a row here.
 */
#ifndef AG_RECORD_SERIES_H
#define AG_RECORD_SERIES_H

#include <stddef.h>
#include <stdint.h>

/* What an array has one element for. */
typedef enum ag_series_over {
    AG_OVER_STEPS,   /* each training step */
    AG_OVER_EVALS,   /* each evaluation on the fixed windows */
    AG_OVER_WINDOWS, /* each window of the whole validation part, after the last step */
    AG_OVERS
} ag_series_over;

typedef enum ag_series_type {
    AG_SERIES_FLAG,  /* uint8_t, 0 or 1; int8 in the file */
    AG_SERIES_WHOLE, /* int64_t */
    AG_SERIES_REAL,  /* double */
    AG_SERIES_TYPES
} ag_series_type;

typedef struct ag_series {
    const char *path; /* below /runs/<id>; a checkpoint has what follows the last slash */
    ag_series_type type;
    ag_series_over over;
    size_t data; /* where its pointer stands in ag_record */
    const char *units;
    const char *long_name;
} ag_series;

enum { AG_RECORD_SERIES = 10 };

/* In the order in which a run file and a checkpoint hold them. */
extern const ag_series ag_record_series[AG_RECORD_SERIES];

/* "loss" of "metrics/loss". */
const char *ag_series_name(const ag_series *series);

/* Bytes of one element. */
size_t ag_series_size(const ag_series *series);

/* Bytes that all arrays together take for one step, evaluation or window. */
size_t ag_series_row_bytes(ag_series_over over);

#endif
