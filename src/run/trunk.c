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

/* As bits: what differs in the sign of a zero has another digest. */
static void rates_of(uint64_t bits[RATES], const ag_run *run, int64_t step)
{
    double rates[RATES];
    const ag_optimizer_spec *spec = &run->optimizer;
    rates[0] = ag_schedule_lr(spec, run->train.steps, step);
    rates[1] = ag_schedule_adamw_lr(spec, run->train.steps, step);
    rates[2] = ag_schedule_decay(spec, rates[0], spec->lr);
    rates[3] = ag_schedule_decay(spec, rates[1], ag_schedule_adamw_peak(spec));
    memcpy(bits, rates, sizeof rates);
}

/* --- the digest */

static ag_status digest_rates(char hex[AG_DIGEST_LENGTH + 1], const ag_run *run, int64_t step)
{
    ag_sha256 *hash = NULL;
    AG_TRY(ag_sha256_create(&hash));
    for (int64_t i = 0; i < step; i++) {
        uint64_t rates[RATES];
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

/* Of the states that a run keeps those behind the steps before `step`: a snapshot holds them. */
static void add_states(ag_text *text, const ag_step_list *states, int64_t step)
{
    for (int64_t i = 0; i < states->count && states->at[i] <= step; i++)
        ag_text_printf(text, "{\"state\":%" PRId64 "}", states->at[i]);
}

ag_status ag_trunk_digest(char hex[AG_DIGEST_LENGTH + 1], const ag_run *run, int64_t step)
{
    char rates[AG_DIGEST_LENGTH + 1];
    ag_run first = cut(run, step);
    ag_text text;
    AG_TRY(digest_rates(rates, run, step));
    ag_text_init(&text);
    ag_run_canonical(&text, &first);
    add_states(&text, &run->output.states, step);
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

int64_t ag_trunk_step(const char *path)
{
    char *end = NULL;
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *digits = name + AG_DIGEST_LENGTH + 1;
    if (strspn(name, "0123456789abcdef") != AG_DIGEST_LENGTH || digits[-1] != '-' ||
        *digits < '1' || *digits > '9')
        return 0;
    long long step = strtoll(digits, &end, 10);
    return *end == '\0' ? step : 0;
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
    int64_t step = a->train.start_step;
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

static int64_t same_rates(const ag_run *a, const ag_run *b, int64_t most)
{
    uint64_t one[RATES];
    uint64_t other[RATES];
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

/* The steps before the first after which one of them keeps a state and the other none. */
static int64_t same_states(const ag_step_list *a, const ag_step_list *b, int64_t most)
{
    for (int64_t i = 0; i < a->count || i < b->count; i++) {
        int64_t one = i < a->count ? a->at[i] : INT64_MAX;
        int64_t other = i < b->count ? b->at[i] : INT64_MAX;
        if (one != other)
            return smaller(most, smaller(one, other) - 1);
    }
    return most;
}

int64_t ag_trunk_shared(const ag_run *a, const ag_run *b)
{
    int64_t most = smaller(a->train.steps, b->train.steps) - 1;
    most = same_states(&a->output.states, &b->output.states, most);
    if (most <= a->train.start_step)
        return 0;
    int64_t shared = same_rates(a, b, same_precision(a, b, most));
    return shared > a->train.start_step ? shared : 0;
}

/* --- the tree */

typedef struct node {
    char origin[AG_DIGEST_LENGTH + 1]; /* P(run, 0) */
    ag_trunk_leaf leaf;
    size_t number;
    int64_t from; /* the step at which it begins */
} node;

/* Runs that may share something lie together, the smallest id first. */
static int compare(const void *left, const void *right)
{
    const node *a = left;
    const node *b = right;
    int order = strcmp(a->origin, b->origin);
    return order != 0 ? order : strcmp(a->leaf.run->id, b->leaf.run->id);
}

/* Of those with smaller ids that come by the last common step the first with whom the run shares
 * most. */
static ag_trunk_branch branch_off(const node *nodes, size_t at)
{
    const node *it = &nodes[at];
    ag_trunk_branch best = {0, 0};
    for (size_t i = it->leaf.own ? 0 : at; i-- > 0 && strcmp(nodes[i].origin, it->origin) == 0;) {
        int64_t shared = ag_trunk_shared(nodes[i].leaf.run, it->leaf.run);
        if (shared > it->leaf.begun && shared > nodes[i].from && shared >= best.step)
            best = (ag_trunk_branch){nodes[i].number, shared};
    }
    return best;
}

ag_status ag_trunk_branches(ag_trunk_branch *branches, const ag_trunk_leaf *leaves, size_t count)
{
    node *nodes = calloc(count + 1, sizeof *nodes);
    ag_status status = AG_OK;
    if (nodes == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu runs", count);
    for (size_t i = 0; i < count && status == AG_OK; i++) {
        nodes[i].leaf = leaves[i];
        nodes[i].number = i;
        status = ag_trunk_digest(nodes[i].origin, leaves[i].run, 0);
    }
    if (status == AG_OK) {
        qsort(nodes, count, sizeof *nodes, compare);
        for (size_t i = 0; i < count; i++) {
            ag_trunk_branch branch = branch_off(nodes, i);
            branches[nodes[i].number] = branch;
            nodes[i].from = branch.step > 0 ? branch.step : nodes[i].leaf.begun;
        }
    }
    free(nodes);
    return status;
}
