/* What `altgrad bench` prints. */
#include "bench.h"

#include <inttypes.h>

#include "base/pool.h"
#include "base/printable.h"
#include "run/run_json.h"

/* Of a part: what its bound is made of. */
static const char *bound_of(const ag_bench_work *work)
{
    const bool floats = work->multiply_adds[AG_BENCH_FLOATS] > 0;
    if (work->multiply_adds[AG_BENCH_CODES] > 0)
        return floats || work->multiply_adds[AG_BENCH_PAIRS] > 0 ? "codes, ..." : "codes";
    if (work->multiply_adds[AG_BENCH_PAIRS] > 0)
        return floats ? "pairs, FMA" : "pairs";
    if (floats)
        return "FMA";
    return work->bytes > 0 ? "copy" : "";
}

/* All kinds together, for the JSON: a script may want the rate that was reached. */
static double all_of(const ag_bench_work *work)
{
    double sum = 0;
    for (int kind = 0; kind < AG_BENCH_KINDS; kind++)
        sum += work->multiply_adds[kind];
    return sum;
}

/* The one figure that is compared with other programs. */
static double tokens_per_s(const ag_bench_result *result)
{
    return result->tokens / result->mean.seconds;
}

/* A multiply-add is two operations: 1e9 of them, or of them a second. */
static double gflops(double multiply_adds)
{
    return 2e-9 * multiply_adds;
}

/* --- text */

/* Parts that did not occur are left out: a table of zeros hides the others. */
static void add_part(ag_text *text, const ag_bench_result *result, ag_bench_part part)
{
    const ag_bench_work *work = &result->mean.parts[part];
    double least_s = result->bounds.least_s[part];
    double sgemm_s = result->bounds.sgemm_s[part];
    if (work->seconds == 0)
        return;
    ag_text_printf(text, "  %-14s %9.3f %6.1f %%", ag_bench_part_name(part), 1e3 * work->seconds,
                   100 * work->seconds / result->mean.seconds);
    if (least_s > 0)
        ag_text_printf(text, "  %-10s %9.3f %5.0f %%", bound_of(work), 1e3 * least_s,
                       100 * least_s / work->seconds);
    if (sgemm_s > 0)
        ag_text_printf(text, " %9.3f %6.2f", 1e3 * sgemm_s, sgemm_s / work->seconds);
    ag_text_add(text, "\n");
}

/* "reached" is bound by time: 100 % would be a kernel that nothing can beat. */
static void add_result(ag_text *text, const ag_bench_result *result)
{
    const ag_bench_bounds *bounds = &result->bounds;
    ag_text_add(text, "\nformat ");
    ag_text_add_printable(text, result->format);
    ag_text_printf(text, ": %.3f ms a step, %.0f tokens/s\n", 1e3 * result->mean.seconds,
                   tokens_per_s(result));
    ag_text_printf(text, "  measured beside it: FMA %.0f GFLOP/s",
                   gflops(bounds->peak[AG_BENCH_FLOATS]));
    if (ag_products_have_pairs())
        ag_text_printf(text, ", pairs of BF16 %.0f", gflops(bounds->peak[AG_BENCH_PAIRS]));
    ag_text_printf(text, ", codes of 8 bits %.0f\n", gflops(bounds->peak[AG_BENCH_CODES]));
    ag_text_printf(text, "  %-14s %9s %8s  %-10s %9s %7s %9s %6s\n", "part", "ms", "of step",
                   "bound", "ms", "reached", "sgemm ms", "ratio");
    for (int part = 0; part < AG_BENCH_PARTS; part++)
        add_part(text, result, (ag_bench_part)part);
}

/* What was trained, since a figure without its model says nothing. */
static void add_model(ag_text *text, const ag_bench_result *result)
{
    const ag_model_spec *model = &result->run->model;
    const ag_train_spec *train = &result->run->train;
    ag_text_printf(text,
                   "%" PRId64 " layers, %" PRId64 " heads, %" PRId64 " channels, %" PRId64
                   " symbols: %zu parameters; %" PRId64 " x %" PRId64 " x %" PRId64
                   " tokens a step\n",
                   model->n_layer, model->n_head, model->n_embd, result->run->facts.vocab_size,
                   result->parameters, train->grad_accum, train->batch_size, model->block_size);
}

/* The first format is what the others are compared with, since users put their baseline first. */
void ag_bench_text(ag_text *text, const ag_bench_result *results, size_t count)
{
    int threads = ag_pool_threads();
    ag_text_printf(text, "altgrad %s, products by %s, %d thread%s", ALTGRAD_VERSION,
                   ag_products_engine(), threads, threads == 1 ? "" : "s");
    if (ag_blas_set() != NULL)
        ag_text_printf(text, "; sgemm by %s's %s set (OPENBLAS_CORETYPE)", ag_kernels_lapack(),
                       ag_blas_set());
    ag_text_add(text, "\n");
    add_model(text, &results[0]);
    for (size_t i = 0; i < count; i++)
        add_result(text, &results[i]);
    ag_text_printf(text, "\n%-16s %10s %10s  ratio to ", "format", "ms a step", "tokens/s");
    ag_text_add_printable(text, results[0].format);
    ag_text_add(text, "\n");
    for (size_t i = 0; i < count; i++) {
        ag_text_add_padded(text, results[i].format, 16);
        ag_text_printf(text, " %10.3f %10.0f  %.2f\n", 1e3 * results[i].mean.seconds,
                       tokens_per_s(&results[i]),
                       results[0].mean.seconds / results[i].mean.seconds);
    }
}

/* --- JSON */

/* Seconds as milliseconds; null where there are none. */
static void add_ms(ag_text *text, const char *key, double seconds)
{
    if (seconds > 0)
        ag_text_printf(text, ",\"%s\":%.6f", key, 1e3 * seconds);
    else
        ag_text_printf(text, ",\"%s\":null", key);
}

static void add_part_json(ag_text *text, const ag_bench_result *result, ag_bench_part part)
{
    const ag_bench_work *work = &result->mean.parts[part];
    ag_text_printf(text, "{\"part\":\"%s\",\"ms\":%.6f,\"calls\":%.6g", ag_bench_part_name(part),
                   1e3 * work->seconds, work->calls);
    ag_text_printf(text, ",\"gflop\":%.9g,\"megabytes\":%.9g,\"bound\":\"%s\"",
                   gflops(all_of(work)), 1e-6 * work->bytes, bound_of(work));
    add_ms(text, "bound_ms", result->bounds.least_s[part]);
    add_ms(text, "sgemm_ms", result->bounds.sgemm_s[part]);
    ag_text_add(text, "}");
}

static void add_model_json(ag_text *text, const ag_bench_result *result)
{
    const ag_run *run = result->run;
    ag_text_printf(text, ",\"n_layer\":%" PRId64 ",\"n_head\":%" PRId64 ",\"n_embd\":%" PRId64,
                   run->model.n_layer, run->model.n_head, run->model.n_embd);
    ag_text_printf(text, ",\"block_size\":%" PRId64 ",\"batch_size\":%" PRId64,
                   run->model.block_size, run->train.batch_size);
    ag_text_printf(text,
                   ",\"grad_accum\":%" PRId64 ",\"vocab_size\":%" PRId64 ",\"parameters\":%zu",
                   run->train.grad_accum, run->facts.vocab_size, result->parameters);
}

/* Unrounded where the text rounds, and null where there is nothing, so that a script need not know
 * which parts exist. */
static void add_result_json(ag_text *text, const ag_bench_result *result)
{
    const ag_bench_bounds *bounds = &result->bounds;
    ag_text_add(text, "{\"format\":");
    ag_json_string(text, result->format);
    add_model_json(text, result);
    ag_text_printf(text, ",\"steps\":%zu,\"tokens_per_step\":%.0f,\"tokens_per_s\":%.6g",
                   result->n_steps, result->tokens, tokens_per_s(result));
    ag_text_printf(text, ",\"fma_gflops\":%.6g", gflops(bounds->peak[AG_BENCH_FLOATS]));
    if (ag_products_have_pairs())
        ag_text_printf(text, ",\"pairs_gflops\":%.6g", gflops(bounds->peak[AG_BENCH_PAIRS]));
    else
        ag_text_add(text, ",\"pairs_gflops\":null");
    ag_text_printf(text, ",\"codes_gflops\":%.6g", gflops(bounds->peak[AG_BENCH_CODES]));
    add_ms(text, "step_ms", result->mean.seconds);
    ag_text_add(text, ",\"parts\":[");
    for (int part = 0; part < AG_BENCH_PARTS; part++) {
        ag_text_add(text, part > 0 ? ",\n" : "\n");
        add_part_json(text, result, (ag_bench_part)part);
    }
    ag_text_add(text, "]}");
}

void ag_bench_json(ag_text *text, const ag_bench_result *results, size_t count)
{
    ag_text_printf(text, "{\"version\":\"%s\",\"engine\":\"%s\",\"threads\":%d", ALTGRAD_VERSION,
                   ag_products_engine(), ag_pool_threads());
    if (ag_blas_set() != NULL)
        ag_text_printf(text, ",\"blas\":\"%s\",\"blas_set\":\"%s\"", ag_kernels_lapack(),
                       ag_blas_set());
    else
        ag_text_add(text, ",\"blas\":null,\"blas_set\":null");
    ag_text_add(text, ",\"formats\":[");
    for (size_t i = 0; i < count; i++) {
        ag_text_add(text, i > 0 ? ",\n" : "\n");
        add_result_json(text, &results[i]);
    }
    ag_text_add(text, "\n]}\n");
}
