/* Judges claims. A claim is one statement of the whole grid: its difference is averaged over all
 * points of the axes that it leaves open, seed by seed, and the seeds are what it is certain by. A
 * seed counts where all its pairs are there. analysis/altgrad_analysis/claims.py says the same in
 * Python. */
#include "claims.h"

#include <math.h>
#include <string.h>

enum { MOST_SEEDS_NEEDED = 1000 };

const char *const ag_claim_state_words[AG_CLAIM_STATES] = {"open", "confirmed", "refuted"};

/* The pairs of one seed. */
typedef struct seed_sum {
    const ag_label *label; /* the first, and its partner */
    const ag_label *partner;
    double sum;
    size_t pairs;
    size_t without; /* pairs without a value on both sides */
    size_t diverged;
} seed_sum;

/* One-sided rates at which a claim, or a pair of neighbours of one, is confirmed and refuted. */
typedef struct rates {
    double confirmed;
    double refuted;
} rates;

typedef struct judge {
    const ag_summary *summary;
    ag_arena *arena;
    double rate;             /* two-sided */
    size_t seeds;            /* the first so many are looked at; SIZE_MAX: all */
    const ag_interim *looks; /* NULL unless seeds come in rounds */
} judge;

static const ag_axis_value *point_of(const judge *j, const ag_claim *claim, size_t i)
{
    return &claim->points[i * j->summary->results->grid.n_axes];
}

static const char *seed_of(const ag_summary *s, const ag_label *label)
{
    return ag_summary_axis_text(s, label, s->seed_axis);
}

/* --- differences of two points, seed by seed */

static seed_sum *find_seed(seed_sum *seeds, size_t *n, const ag_summary *s, const ag_label *label)
{
    for (size_t i = 0; i < *n; i++) {
        if (strcmp(seed_of(s, seeds[i].label), seed_of(s, label)) == 0)
            return &seeds[i];
    }
    seeds[*n] = (seed_sum){.label = label};
    return &seeds[(*n)++];
}

static bool has_diverged(const ag_summary *s, const ag_label *label)
{
    return s->results->rows[label->run].status == AG_RUN_DIVERGED;
}

static void add_pair(seed_sum *seed, const ag_summary *s, const ag_label *label,
                     const ag_label *partner)
{
    double difference = ag_summary_value(s, label) - ag_summary_value(s, partner);
    if (seed->partner == NULL)
        seed->partner = partner;
    seed->pairs++;
    if (isfinite(difference))
        seed->sum += difference;
    else
        seed->without++;
    seed->diverged += has_diverged(s, label) || has_diverged(s, partner);
}

/* Seeds that came to the same runs, because no random number has a part in them, are one. */
static bool is_repeated(const seed_sum *seeds, size_t i, const ag_summary *s)
{
    for (size_t j = 0; j < i; j++) {
        if (seeds[j].sum == seeds[i].sum && seeds[j].pairs == seeds[i].pairs &&
            ag_summary_is_one(s, seeds[j].label, seeds[i].label) &&
            ag_summary_is_one(s, seeds[j].partner, seeds[i].partner))
            return true;
    }
    return false;
}

/* In rounds some points have seeds that others have not: means over different points are not one
 * sample. */
static bool is_whole(const judge *j, const seed_sum *seed, const seed_sum *first)
{
    return j->looks == NULL || seed->pairs == first->pairs;
}

/* Differences of the labels on point `i` of the claim to their partners on the next; the result
 * counts the seeds that are missing. */
static ag_status take_differences(ag_claim_result *result, const judge *j, size_t i)
{
    const ag_summary *s = j->summary;
    const ag_grid *grid = &s->results->grid;
    seed_sum *seeds = ag_arena_alloc(j->arena, grid->n_labels * sizeof *seeds);
    double *means = ag_arena_alloc(j->arena, grid->n_labels * sizeof *means);
    size_t n = 0;
    size_t usable = 0;
    if (seeds == NULL || means == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the claims");
    for (size_t l = 0; l < grid->n_labels; l++) {
        const ag_label *label = &grid->labels[l];
        if (!ag_label_is_on(label, point_of(j, result->claim, i), grid->n_axes) ||
            !ag_summary_is_first(s, label, j->seeds))
            continue;
        const ag_label *partner = ag_grid_partner(grid, label, point_of(j, result->claim, i + 1));
        if (partner != NULL)
            add_pair(find_seed(seeds, &n, s, label), s, label, partner);
    }
    for (size_t k = 0; k < n; k++) {
        if (!is_whole(j, &seeds[k], &seeds[0]))
            continue;
        result->missing += seeds[k].without > 0;
        result->diverged += seeds[k].diverged > 0;
        if (seeds[k].without == 0 && !is_repeated(seeds, k, s))
            means[usable++] = seeds[k].sum / (double)seeds[k].pairs;
    }
    result->difference = ag_estimate_mean(means, usable, ag_summary_level);
    return AG_OK;
}

/* --- rates */

/* P of a mean at least that far above `bound` if the truth is there. */
static double rate_above(const ag_estimate *e, double bound)
{
    if (!(e->sd > 0))
        return e->mean > bound ? 0 : 1;
    return ag_t_above((e->mean - bound) / (e->sd / sqrt((double)e->n)), (double)(e->n - 1));
}

static double rate_below(const ag_estimate *e, double bound)
{
    ag_estimate mirrored = *e;
    mirrored.mean = -e->mean;
    return rate_above(&mirrored, -bound);
}

/* Of a difference beside what the claim says of it. */
static rates rates_of(const ag_claim *claim, const ag_estimate *e)
{
    switch (claim->kind) {
    case AG_CLAIM_SAME:
        if (!(e->sd > 0)) /* the mean is the truth, also on the margin itself */
            return fabs(e->mean) <= claim->bound ? (rates){0, 1} : (rates){1, 0};
        return (rates){fmax(rate_below(e, claim->bound), rate_above(e, -claim->bound)),
                       fmin(rate_above(e, claim->bound), rate_below(e, -claim->bound))};
    case AG_CLAIM_WORSE:
        return (rates){rate_above(e, claim->bound), rate_below(e, claim->bound)};
    default:
        return (rates){rate_below(e, -claim->bound), rate_above(e, -claim->bound)};
    }
}

/* An order holds where all its pairs of neighbours do, and fails where one does: the pair that is
 * most against it must be certain among all of them. */
static rates rates_of_all(const ag_claim *claim, const ag_estimate *pairs, size_t n_seeds)
{
    size_t n_pairs = claim->n_points - 1;
    rates all = {0, 1};
    for (size_t i = 0; i < n_pairs; i++) {
        ag_estimate e = pairs[i];
        e.n = n_seeds > 0 ? n_seeds : e.n;
        if (e.n < 2)
            return (rates){NAN, NAN};
        rates one = rates_of(claim, &e);
        all.confirmed = fmax(all.confirmed, one.confirmed);
        all.refuted = fmin(all.refuted, one.refuted);
    }
    all.refuted = fmin(1, (double)n_pairs * all.refuted);
    return all;
}

/* At least k, or at most k, of n runs diverge where each does so with chance `share`: the tails of
 * the binomial distribution by the incomplete beta function (DLMF 8.17.5). */
static rates rates_of_share(double share, size_t k, size_t n)
{
    double at_least = k == 0 ? 1 : ag_incomplete_beta(share, (double)k, (double)(n - k) + 1);
    double at_most = k == n ? 1 : 1 - ag_incomplete_beta(share, (double)k + 1, (double)(n - k));
    return (rates){at_least, at_most};
}

static double least_rate(rates r)
{
    return fmin(1, 2 * fmin(r.confirmed, r.refuted));
}

/* The share at which one tail has half of 1 - level: Clopper and Pearson, Biometrika 26, 1934. */
static double share_end(size_t k, size_t n, bool low)
{
    double ends[] = {0, 1};
    double tail = (1 - ag_summary_level) / 2;
    if (low ? k == 0 : k == n)
        return low ? 0 : 1;
    for (int i = 0; i < 60; i++) {
        double middle = (ends[0] + ends[1]) / 2;
        rates r = rates_of_share(middle, k, n);
        bool is_above = low ? r.confirmed > tail : r.refuted < tail;
        ends[is_above] = middle;
    }
    return (ends[0] + ends[1]) / 2;
}

/* --- one claim */

/* Its rates once there are n seeds, or n runs of "diverges", that go on as those so far. */
static rates rates_at(const ag_claim_result *result, const ag_estimate *pairs, size_t n)
{
    if (result->claim->kind != AG_CLAIM_DIVERGES)
        return rates_of_all(result->claim, pairs, n);
    double share = (double)result->diverged / (double)result->runs;
    return rates_of_share(result->claim->bound, (size_t)lround(share * (double)n), n);
}

static ag_status count_diverged(ag_claim_result *result, const judge *j)
{
    const ag_grid *grid = &j->summary->results->grid;
    bool *counted = ag_arena_alloc(j->arena, grid->n_runs + 1);
    if (counted == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the claims");
    memset(counted, 0, grid->n_runs + 1);
    for (size_t l = 0; l < grid->n_labels; l++) {
        const ag_label *label = &grid->labels[l];
        if (!ag_label_is_on(label, result->claim->points, grid->n_axes) || counted[label->run] ||
            !ag_summary_is_first(j->summary, label, j->seeds))
            continue;
        ag_run_status status = j->summary->results->rows[label->run].status;
        counted[label->run] = true;
        result->runs += ag_run_status_is_complete(status);
        result->diverged += status == AG_RUN_DIVERGED;
        result->missing += !ag_run_status_is_complete(status);
    }
    return AG_OK;
}

static void judge_share(ag_claim_result *result, rates *r)
{
    if (result->runs == 0)
        return;
    *r = rates_of_share(result->claim->bound, result->diverged, result->runs);
    result->low = share_end(result->diverged, result->runs, true);
    result->high = share_end(result->diverged, result->runs, false);
}

/* The numbers that are shown are those of the pair that is least certain. */
static ag_status judge_pairs(ag_claim_result *result, rates *r, ag_estimate *pairs, const judge *j)
{
    double least = -1;
    ag_claim_result shown = *result;
    for (size_t i = 0; i + 1 < result->claim->n_points; i++) {
        ag_claim_result one = *result;
        one.link = i;
        AG_TRY(take_differences(&one, j, i));
        pairs[i] = one.difference;
        double p = one.difference.n < 2 ? 2 : rates_of(result->claim, &pairs[i]).confirmed;
        size_t missing = shown.missing > one.missing ? shown.missing : one.missing;
        size_t diverged = shown.diverged > one.diverged ? shown.diverged : one.diverged;
        if (p > least) {
            least = p;
            shown = one;
        }
        shown.missing = missing;
        shown.diverged = diverged;
    }
    *result = shown;
    result->low = result->difference.mean - result->difference.half;
    result->high = result->difference.mean + result->difference.half;
    if (result->diverged == 0)
        *r = rates_of_all(result->claim, pairs, 0);
    return AG_OK;
}

typedef struct one_claim {
    rates r;
    bool *used;         /* [n_labels] it speaks of these; where seeds come in rounds */
    ag_estimate *pairs; /* [n_points] */
} one_claim;

/* By the seeds that are looked at. */
static ag_status look_at(ag_claim_result *result, one_claim *own, const judge *j,
                         const ag_claim *claim)
{
    *result = (ag_claim_result){.claim = claim, .low = NAN, .high = NAN, .p = NAN};
    result->difference = (ag_estimate){0, NAN, NAN, NAN};
    own->r = (rates){NAN, NAN};
    own->pairs = ag_arena_alloc(j->arena, claim->n_points * sizeof *own->pairs);
    if (own->pairs == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the claims");
    if (claim->kind == AG_CLAIM_DIVERGES) {
        AG_TRY(count_diverged(result, j));
        judge_share(result, &own->r);
    } else {
        AG_TRY(judge_pairs(result, &own->r, own->pairs, j));
    }
    return AG_OK;
}

/* --- seeds in rounds */

void ag_claim_uses(bool *used, const ag_claim *claim, const ag_grid *grid)
{
    memset(used, 0, grid->n_labels);
    for (size_t i = 0; i < claim->n_points; i++) {
        const ag_axis_value *point = &claim->points[i * grid->n_axes];
        for (size_t l = 0; l < grid->n_labels; l++) {
            if (!ag_label_is_on(&grid->labels[l], point, grid->n_axes))
                continue;
            const ag_label *partner = NULL;
            if (i + 1 < claim->n_points)
                partner = ag_grid_partner(grid, &grid->labels[l], point + grid->n_axes);
            if (partner != NULL)
                used[partner - grid->labels] = true;
            used[l] |= partner != NULL || claim->kind == AG_CLAIM_DIVERGES;
        }
    }
}

bool ag_claim_can_be_decided(const ag_claim_result *result)
{
    if (result->claim->kind == AG_CLAIM_DIVERGES)
        return result->runs > 0;
    return result->diverged == 0 && result->difference.n > 0;
}

/* Whether the first so many seeds are there, of every point of the claim. */
static bool is_complete(const judge *j, const bool *used, size_t seeds)
{
    const ag_summary *s = j->summary;
    const ag_grid *grid = &s->results->grid;
    size_t points = 0;
    size_t there = 0;
    for (size_t l = 0; l < grid->n_labels; l++) {
        const ag_label *label = &grid->labels[l];
        if (!ag_summary_is_first(s, label, seeds) || !used[l])
            continue;
        points += ag_summary_is_first(s, label, 1);
        there += s->results->rows[label->run].status != AG_RUN_PENDING;
    }
    return there == points * seeds;
}

/* The least rates of all looks, each by what it may spend. */
static ag_status spend(one_claim *own, const judge *j, const ag_claim *claim)
{
    size_t n_labels = j->summary->results->grid.n_labels;
    own->r = (rates){1, 1};
    own->used = ag_arena_alloc(j->arena, n_labels + 1);
    if (own->used == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the claims");
    ag_claim_uses(own->used, claim, &j->summary->results->grid);
    for (size_t i = 0; i < j->looks->n; i++) {
        judge then = *j;
        one_claim one;
        ag_claim_result seen;
        then.seeds = j->looks->seeds[i];
        if (then.seeds > j->seeds || !is_complete(j, own->used, then.seeds))
            return AG_OK;
        AG_TRY(look_at(&seen, &one, &then, claim));
        own->r.confirmed = fmin(own->r.confirmed, ag_interim_p(j->looks, i, one.r.confirmed));
        own->r.refuted = fmin(own->r.refuted, ag_interim_p(j->looks, i, one.r.refuted));
    }
    return AG_OK;
}

/* --- all of them */

static ag_status begin(ag_claim_result *result, one_claim *own, const judge *j,
                       const ag_claim *claim)
{
    AG_TRY(look_at(result, own, j, claim));
    if (j->looks != NULL && !isnan(own->r.confirmed))
        AG_TRY(spend(own, j, claim));
    if (!isnan(own->r.confirmed))
        result->p = least_rate(own->r);
    result->adjusted = result->p;
    return AG_OK;
}

/* With what has no p left out. Returns how many are undecided. */
static size_t adjust(ag_claim_result *results, ag_ranked *family, size_t n, double rate)
{
    size_t members = 0;
    size_t undecided = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(results[i].p))
            family[members++] = (ag_ranked){i, results[i].p, NAN};
    }
    ag_holm(family, members);
    for (size_t i = 0; i < members; i++) {
        results[family[i].place].adjusted = family[i].adjusted;
        undecided += family[i].adjusted > rate;
    }
    return undecided;
}

/* Only a look decides: the first that would. Runs of "diverges" are as many for each seed. */
static void find_needed_look(ag_claim_result *result, const one_claim *own, const judge *j,
                             double rate, size_t now)
{
    const ag_interim *looks = j->looks;
    size_t seeds = 0;
    for (size_t i = 0; i < looks->n && is_complete(j, own->used, looks->seeds[i]); i++)
        seeds = looks->seeds[i];
    for (size_t i = 0; i < looks->n && seeds > 0 && result->more_seeds == 0; i++) {
        size_t n = result->claim->kind == AG_CLAIM_DIVERGES ? looks->seeds[i] * now / seeds
                                                            : looks->seeds[i];
        if (n > now && ag_interim_p(looks, i, least_rate(rates_at(result, own->pairs, n))) <= rate)
            result->more_seeds = n - now;
    }
}

static void find_needed(ag_claim_result *result, const one_claim *own, const judge *j, double rate)
{
    bool is_share = result->claim->kind == AG_CLAIM_DIVERGES;
    size_t now = is_share ? result->runs : result->difference.n;
    if (j->looks != NULL) {
        find_needed_look(result, own, j, rate, now);
        return;
    }
    for (size_t n = now + 1; n <= MOST_SEEDS_NEEDED && result->more_seeds == 0; n++) {
        if (least_rate(rates_at(result, own->pairs, n)) <= rate)
            result->more_seeds = n - now;
    }
}

static ag_status judge_all(ag_claim_result *results, const judge *j)
{
    const ag_grid *grid = &j->summary->results->grid;
    one_claim *claims = ag_arena_alloc(j->arena, grid->n_claims * sizeof *claims);
    ag_ranked *family = ag_arena_alloc(j->arena, grid->n_claims * sizeof *family);
    size_t undecided = 1;
    if (claims == NULL || family == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the claims");
    for (size_t i = 0; i < grid->n_claims; i++)
        AG_TRY(begin(&results[i], &claims[i], j, &grid->claims[i]));
    if (grid->compare.family == AG_FAMILY_ALL)
        undecided = adjust(results, family, grid->n_claims, j->rate);
    for (size_t i = 0; i < grid->n_claims; i++) {
        if (isnan(results[i].p))
            continue;
        if (results[i].adjusted > j->rate)
            find_needed(&results[i], &claims[i], j, j->rate / (double)undecided);
        else
            results[i].state =
                claims[i].r.confirmed < claims[i].r.refuted ? AG_CLAIM_CONFIRMED : AG_CLAIM_REFUTED;
    }
    return AG_OK;
}

ag_status ag_claims_judge(ag_claim_result *results, const ag_summary *summary)
{
    ag_arena arena;
    ag_arena_init_growing(&arena);
    const ag_grid *grid = &summary->results->grid;
    ag_interim looks = {0};
    judge j = {.summary = summary,
               .arena = &arena,
               .rate = 1 - ag_summary_level,
               .seeds = summary->most_seeds};
    if (grid->seeds.at_most > 0) {
        looks = ag_summary_looks(grid);
        j.looks = &looks;
    }
    ag_status status = judge_all(results, &j);
    ag_arena_deinit(&arena);
    return status;
}
