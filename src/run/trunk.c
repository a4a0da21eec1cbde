/* Which runs share their first steps, and how many. */
#include "run/trunk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "run/digest.h"
#include "run/phases.h"
#include "run/run_json.h"
#include "run/schedule.h"

/* What of the schedule reaches the weights. */
enum { RATES = 4 };

static void rates_of(double rates[RATES], const ag_run *run, int64_t step)
{
    const ag_optimizer_spec *spec = &run->optimizer;
    rates[0] = ag_schedule_lr(spec, run->train.steps, step);
    rates[1] = ag_schedule_adamw_lr(spec, run->train.steps, step);
    rates[2] = ag_schedule_decay(spec, rates[0], spec->lr);
    rates[3] = ag_schedule_decay(spec, rates[1], ag_adamw_peak(spec));
}

/* --- the digest */

static ag_status digest_rates(char hex[AG_DIGEST_LENGTH + 1], const ag_run *run, int64_t step)
{
    ag_sha256 *hash = NULL;
    AG_TRY(ag_sha256_create(&hash));
    for (int64_t i = 0; i < step; i++) {
        double rates[RATES];
        rates_of(rates, run, i);
        ag_sha256_add(hash, rates, sizeof rates);
    }
    ag_sha256_hex(hash, hex);
    ag_sha256_destroy(hash);
    return AG_OK;
}

/* The run as far as its settings reach the steps before `step`: the schedule's are one for all, as
 * the rates that they lead to stand for them. */
static ag_run cut(const ag_run *run, int64_t step)
{
    ag_run first = *run;
    first.n_phases = 0;
    while (first.n_phases < run->n_phases && run->phases[first.n_phases].from < step)
        first.n_phases++;
    first.train.steps = step;
    first.optimizer.lr = 1.0;
    first.optimizer.adamw_lr = 0.0;
    first.optimizer.min_lr_ratio = 0.0;
    first.optimizer.warmup = 0;
    first.optimizer.schedule = AG_SCHEDULE_CONSTANT;
    first.optimizer.decay_fraction = 0.0;
    return first;
}

ag_status ag_trunk_digest(char hex[AG_DIGEST_LENGTH + 1], const ag_run *run, int64_t step)
{
    char rates[AG_DIGEST_LENGTH + 1];
    ag_run first = cut(run, step);
    ag_text text;
    AG_TRY(digest_rates(rates, run, step));
    ag_text_init(&text);
    ag_run_canonical(&text, &first);
    ag_text_printf(&text,
                   "{\"rates\":\"%s\",\"steps\":%" PRId64 ",\"eval\":[%" PRId64 ",%" PRId64
                   ",%" PRId64 "],\"observe\":[%" PRId64 ",%" PRId64 "]}",
                   rates, step, run->eval.every, run->eval.windows, run->eval.batch,
                   run->observe.quant_every, run->observe.diagnostics);
    ag_status status = text.failed ? ag_fail(AG_ERR_SYSTEM, "out of memory")
                                   : ag_sha256_of(hex, text.data, text.length);
    ag_text_deinit(&text);
    return status;
}

ag_status ag_trunk_name(char name[AG_TRUNK_NAME], const ag_run *run, int64_t step)
{
    char hex[AG_DIGEST_LENGTH + 1];
    AG_TRY(ag_trunk_digest(hex, run, step));
    snprintf(name, AG_TRUNK_NAME, "%s-%" PRId64, hex, step);
    return AG_OK;
}

/* --- how much is shared */

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The first step of the next phase; INT64_MAX where there is none. */
static int64_t next_begin(const ag_run *run, int64_t step)
{
    size_t phase = ag_phase_at(run, step) + 1;
    return phase < ag_phase_count(run) ? ag_phase_begin(run, phase) : INT64_MAX;
}

/* The first step before `most` whose precision differs; `most` where there is none. */
static int64_t same_precision(const ag_run *a, const ag_run *b, int64_t most)
{
    int64_t step = 0;
    while (step < most) {
        ag_phase one = ag_phase_of(a, ag_phase_at(a, step));
        ag_phase other = ag_phase_of(b, ag_phase_at(b, step));
        if (!ag_phase_equal(&a->model, &one, &other))
            return step;
        step = smaller(next_begin(a, step), next_begin(b, step));
    }
    return most;
}

static bool same_schedule(const ag_run *a, const ag_run *b)
{
    const ag_optimizer_spec *one = &a->optimizer;
    const ag_optimizer_spec *other = &b->optimizer;
    return a->train.steps == b->train.steps && one->lr == other->lr &&
           one->min_lr_ratio == other->min_lr_ratio && one->warmup == other->warmup &&
           one->schedule == other->schedule && one->decay_fraction == other->decay_fraction &&
           one->adamw_lr == other->adamw_lr;
}

/* As bits: what differs in a sign of zero has another digest. */
static int64_t same_rates(const ag_run *a, const ag_run *b, int64_t most)
{
    double one[RATES];
    double other[RATES];
    if (same_schedule(a, b))
        return most;
    for (int64_t step = 0; step < most; step++) {
        rates_of(one, a, step);
        rates_of(other, b, step);
        if (memcmp(one, other, sizeof one) != 0)
            return step;
    }
    return most;
}

int64_t ag_trunk_shared(const ag_run *a, const ag_run *b)
{
    int64_t most = smaller(a->train.steps, b->train.steps) - 1;
    return most <= 0 ? 0 : same_rates(a, b, same_precision(a, b, most));
}

/* --- the tree */

typedef struct leaf {
    char origin[AG_DIGEST_LENGTH + 1]; /* P(run, 0) */
    const ag_run *run;
    size_t number;
} leaf;

/* Runs that may share something lie together, the smallest id first. */
static int compare(const void *left, const void *right)
{
    const leaf *a = left;
    const leaf *b = right;
    int order = strcmp(a->origin, b->origin);
    return order != 0 ? order : strcmp(a->run->id, b->run->id);
}

/* Of those with smaller ids the first with whom the run shares most. */
static ag_trunk_branch branch_off(const leaf *leaves, size_t at)
{
    ag_trunk_branch best = {0, 0};
    for (size_t i = at; i-- > 0 && strcmp(leaves[i].origin, leaves[at].origin) == 0;) {
        int64_t shared = ag_trunk_shared(leaves[i].run, leaves[at].run);
        if (shared > 0 && shared >= best.step)
            best = (ag_trunk_branch){leaves[i].number, shared};
    }
    return best;
}

ag_status ag_trunk_branches(ag_trunk_branch *branches, const ag_run *const *runs, size_t count)
{
    leaf *leaves = calloc(count + 1, sizeof *leaves);
    ag_status status =
        leaves != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory for %zu runs", count);
    for (size_t i = 0; i < count && status == AG_OK; i++) {
        leaves[i].run = runs[i];
        leaves[i].number = i;
        status = ag_trunk_digest(leaves[i].origin, runs[i], 0);
    }
    if (status == AG_OK) {
        qsort(leaves, count, sizeof *leaves, compare);
        for (size_t i = 0; i < count; i++)
            branches[leaves[i].number] = branch_off(leaves, i);
    }
    free(leaves);
    return status;
}
