/* The parts of `altgrad bench`: what a training step's time goes into, and what bounds each part.
 */
#ifndef AG_APP_BENCH_H
#define AG_APP_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "kernels/kernels.h"
#include "run/run.h"

typedef enum ag_bench_part {
    AG_BENCH_EMBEDDING,
    AG_BENCH_NORMS,
    AG_BENCH_QUANTISING,
    AG_BENCH_PACKING, /* BF16 values as pairs, for products of linear layers and such as they */
    AG_BENCH_FPROP,   /* products of linear layers, like the next two */
    AG_BENCH_DGRAD,
    AG_BENCH_WGRAD,
    AG_BENCH_SCALES, /* what is done to a product's result: scales, bias, BF16, sums of gradients */
    AG_BENCH_ATTENTION,
    AG_BENCH_GELU,
    AG_BENCH_RESIDUAL, /* and dropout */
    AG_BENCH_CROSS_ENTROPY,
    AG_BENCH_OPTIMIZER, /* and the gradient's norm */
    AG_BENCH_REST,      /* what is no kernel: batches, copies, gradients set to zero */
    AG_BENCH_PARTS
} ag_bench_part;

const char *ag_bench_part_name(ag_bench_part part);

/* What products are made of. */
typedef enum ag_bench_kind {
    AG_BENCH_FLOATS,
    AG_BENCH_PAIRS, /* of BF16 values */
    AG_BENCH_CODES, /* small integers in blocks */
    AG_BENCH_KINDS
} ag_bench_kind;

/* What a part did. */
typedef struct ag_bench_work {
    double seconds;
    double calls;
    double bytes; /* read and written where each array comes and goes once */
    double multiply_adds[AG_BENCH_KINDS];
} ag_bench_work;

/* A product of a linear layer, and how often it was taken. */
typedef struct ag_bench_shape {
    ag_bench_part part;
    size_t M, N, K;
    double calls;
} ag_bench_shape;

enum { AG_BENCH_SHAPES = 64, AG_BENCH_WARM_UP = 2 };

/* One training step, or the mean of several. */
typedef struct ag_bench_step {
    double seconds;
    ag_bench_work parts[AG_BENCH_PARTS];
} ag_bench_step;

/* --- measuring a run (bench_parts.c) */

typedef struct ag_bench_record {
    ag_bench_step *steps; /* [n_steps], by time once all are there */
    size_t n_steps;
    size_t count; /* of them, those that are there */
    ag_bench_step now;
    ag_bench_shape shapes[AG_BENCH_SHAPES]; /* calls of all steps, those that warm up too */
    size_t n_shapes;
    size_t T, D; /* tokens of a sequence, channels of a head */
    size_t seen; /* steps, those that warm up too */
    double since_s;
} ag_bench_record;

/* The fast kernels, which add what they do to record->now. One record at a time. */
const ag_kernels *ag_bench_kernels(ag_bench_record *record);

/* --- bounds of the machine (bench_bounds.c) */

typedef struct ag_bench_bounds {
    double peak[AG_BENCH_KINDS];    /* multiply-adds a second of its instruction */
    double least_s[AG_BENCH_PARTS]; /* a step's bound; 0: the part has none */
    double sgemm_s[AG_BENCH_PARTS]; /* what OpenBLAS takes for the same products; 0: none */
} ag_bench_bounds;

/* Measures them for a step `mean` of the record, on the threads of the pool. */
ag_status ag_bench_bound(ag_bench_bounds *bounds, const ag_bench_record *record,
                         const ag_bench_step *mean);

/* --- the report (bench_report.c) */

typedef struct ag_bench_result {
    const char *format;
    const ag_run *run;
    size_t n_steps;
    size_t parameters;
    double tokens; /* a step */
    ag_bench_step mean;
    ag_bench_bounds bounds;
} ag_bench_result;

/* Appends what all results have in common, then each of them. */
void ag_bench_text(ag_text *text, const ag_bench_result *results, size_t count);
void ag_bench_json(ag_text *text, const ag_bench_result *results, size_t count);

#endif
