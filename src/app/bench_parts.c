/* A table of kernels that does what the fast one does and keeps account: the time of each kernel
 * goes to a part of the step, with the least that it has to compute or to move.
 *
 * Kernels know nothing but their arguments, so the account they write into is this file's. They are
 * called by one thread; what they share among others, they share inside. Each wrapper reads the
 * clock twice, some 50 ns beside kernels of microseconds and more. The wrappers are in
 * bench_products.c, bench_layers.c and bench_updates.c. */
#include "bench_account.h"

#include "base/clock.h"

/* Set by ag_bench_kernels. */
static ag_bench_record *s_record;

enum { FLOAT = sizeof(float) };

const char *ag_bench_part_name(ag_bench_part part)
{
    static const char *const names[AG_BENCH_PARTS] = {
        [AG_BENCH_EMBEDDING] = "embedding",   [AG_BENCH_NORMS] = "norms",
        [AG_BENCH_QUANTISING] = "quantising", [AG_BENCH_PACKING] = "packing",
        [AG_BENCH_FPROP] = "fprop",           [AG_BENCH_DGRAD] = "dgrad",
        [AG_BENCH_WGRAD] = "wgrad",           [AG_BENCH_SCALES] = "scales, bias",
        [AG_BENCH_ATTENTION] = "attention",   [AG_BENCH_GELU] = "GELU",
        [AG_BENCH_RESIDUAL] = "residual",     [AG_BENCH_CROSS_ENTROPY] = "cross-entropy",
        [AG_BENCH_OPTIMIZER] = "optimizer",   [AG_BENCH_REST] = "rest",
    };
    return names[part];
}

void ag_bench_add(ag_bench_part part, double start_s, size_t floats)
{
    ag_bench_work *work = &s_record->now.parts[part];
    work->seconds += ag_clock_s() - start_s;
    work->calls++;
    work->bytes += (double)floats * FLOAT;
}

void ag_bench_add_multiply_adds(ag_bench_part part, ag_bench_kind kind, double count)
{
    s_record->now.parts[part].multiply_adds[kind] += count;
}

/* --- products */

/* T x T scores of D channels, or D channels from T scores. */
bool ag_bench_is_attention(const ag_product *s)
{
    const size_t T = s_record->T;
    const size_t D = s_record->D;
    return s->M == T && ((s->N == T && s->K == D) || (s->N == D && s->K == T));
}

/* A table that is full drops further shapes: 64 are more than a model has, and only the yardstick
 * would suffer. */
static void count_shape(ag_bench_part part, const ag_product *s)
{
    size_t i = 0;
    for (; i < s_record->n_shapes; i++) {
        const ag_bench_shape *known = &s_record->shapes[i];
        if (known->part == part && known->M == s->M && known->N == s->N && known->K == s->K)
            break;
    }
    if (i == AG_BENCH_SHAPES)
        return;
    if (i == s_record->n_shapes)
        s_record->shapes[s_record->n_shapes++] = (ag_bench_shape){part, s->M, s->N, s->K, 0};
    s_record->shapes[i].calls++;
}

static ag_bench_kind kind_of(ag_word word)
{
    if (word == AG_WORD_FLOAT)
        return AG_BENCH_FLOATS;
    return word == AG_WORD_PAIR ? AG_BENCH_PAIRS : AG_BENCH_CODES;
}

/* The yardstick, OpenBLAS, repeats the shapes of linear layers and of updates; attention's products
 * are too many and too small for it. */
void ag_bench_add_product(ag_bench_part part, double start_s, const ag_product *s, double results)
{
    ag_bench_add(part, start_s, 0);
    ag_bench_add_multiply_adds(part, kind_of(s->a.word), results * (double)s->K);
    if (part != AG_BENCH_ATTENTION)
        count_shape(part, s);
}

/* A kernel without a wrapper counts under "rest", which is how a forgotten one shows. Evaluation
 * and diagnostics are no part of a step: their kernels stay bare. */
const ag_kernels *ag_bench_kernels(ag_bench_record *record)
{
    static ag_kernels table;
    s_record = record;
    table = ag_kernels_fast;
    ag_bench_time_products(&table);
    ag_bench_time_layers(&table);
    ag_bench_time_updates(&table);
    return &table;
}
