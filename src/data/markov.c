/* The synthetic source of markov.h: its tables, its tokens, its entropy rate. A corpus with a known
 * floor of the loss tells how much of a loss is the model's and the format's doing, and needs no
 * download. */
#include "data/markov.h"

#include <math.h>
#include <stdlib.h>

#include "base/maths.h"
#include "base/philox.h"

enum {
    SUCCESSORS = 4,
    USE_TOKEN = 0, /* last word of the Philox counter */
    USE_TABLE = 1,
    ITERATIONS_MAX = 10000,
};

static const double s_noise = 1.0 / 16;
static const double s_weight[SUCCESSORS] = {1.0 / 2, 1.0 / 4, 1.0 / 8, 1.0 / 8};

/* Contexts are numbered with the newest symbol as the lowest digit: c_1 + c_2 V + c_3 V^2 ... */
struct ag_markov {
    size_t vocab;
    size_t order;
    size_t n_contexts; /* vocab^order */
    uint64_t key;
    uint16_t *successors; /* [order, vocab, SUCCESSORS] */
};

/* The SUCCESSORS likely symbols after `symbol`, `lag` tokens back. */
static const uint16_t *successors_of(const ag_markov *source, size_t lag, size_t symbol)
{
    return source->successors + ((lag - 1) * source->vocab + symbol) * SUCCESSORS;
}

/* The share of a lag in the distribution, noise taken off. */
static double lag_share(const ag_markov *source, size_t lag)
{
    size_t halvings = lag < source->order ? lag : source->order - 1;
    return (1 - s_noise) * ldexp(1.0, -(int)halvings);
}

/* u^2 makes symbols with small numbers more frequent, as some characters of a text are. */
static void draw_tables(ag_markov *source)
{
    uint16_t *next = source->successors;
    for (size_t lag = 1; lag <= source->order; lag++) {
        for (size_t symbol = 0; symbol < source->vocab; symbol++) {
            for (uint32_t r = 0; r < SUCCESSORS; r++) {
                ag_philox_block block =
                    ag_philox(source->key, (uint32_t)symbol, (uint32_t)lag, r, USE_TABLE);
                double u = ag_uniform53(block.word[1], block.word[0]);
                *next++ = (uint16_t)((double)source->vocab * (u * u));
            }
        }
    }
}

/* Checked after each factor, so that the product cannot overflow. */
static ag_status count_contexts(size_t *count, const ag_data_spec *spec)
{
    *count = 1;
    for (int64_t i = 0; i < spec->order; i++) {
        *count *= (size_t)spec->vocab;
        if (*count > AG_MARKOV_CONTEXTS_MAX)
            return ag_fail(AG_ERR_INPUT,
                           "data.order: %lld symbols (data.vocab) in contexts of %lld make more "
                           "than %d contexts, over which the entropy rate is summed; expected a "
                           "smaller vocab or order",
                           (long long)spec->vocab, (long long)spec->order, AG_MARKOV_CONTEXTS_MAX);
    }
    return AG_OK;
}

/* The tables are drawn at once: order * vocab * 4 symbols. */
ag_status ag_markov_create(ag_markov **out, const ag_data_spec *spec)
{
    size_t n_contexts;
    AG_TRY(count_contexts(&n_contexts, spec));
    ag_markov *source = calloc(1, sizeof *source);
    if (source == NULL)
        return ag_fail(AG_ERR_SYSTEM, "no memory for the synthetic corpus");
    source->vocab = (size_t)spec->vocab;
    source->order = (size_t)spec->order;
    source->n_contexts = n_contexts;
    source->key = ag_stream_key((uint64_t)spec->seed, AG_STREAM_CORPUS);
    size_t entries = source->order * source->vocab * SUCCESSORS;
    source->successors = calloc(entries + 1, sizeof *source->successors);
    if (source->successors == NULL) {
        ag_markov_destroy(source);
        return ag_fail(AG_ERR_SYSTEM, "no memory for the tables of the synthetic corpus");
    }
    draw_tables(source);
    *out = source;
    return AG_OK;
}

void ag_markov_destroy(ag_markov *source)
{
    if (source == NULL)
        return;
    free(source->successors);
    free(source);
}

/* By the formula of markov.h; what tests hold the generator and the entropy rate against. */
double ag_markov_probability(const ag_markov *source, const uint16_t *context, uint16_t symbol)
{
    if (source->order == 0)
        return 1.0 / (double)source->vocab;
    double p = s_noise / (double)source->vocab;
    for (size_t lag = 1; lag <= source->order; lag++) {
        const uint16_t *likely = successors_of(source, lag, context[lag - 1]);
        for (size_t r = 0; r < SUCCESSORS; r++)
            p += likely[r] == symbol ? lag_share(source, lag) * s_weight[r] : 0;
    }
    return p;
}

/* Zeros before the first one, at most `most`: 0 with probability 1/2, 1 with 1/4, ... */
static size_t leading_zeros(uint32_t word, size_t most)
{
    size_t zeros = word == 0 ? 32 : (size_t)__builtin_clz(word);
    return zeros < most ? zeros : most;
}

/* Token t takes random words of its own counter, so that any part of the corpus could be made
 * alone; the symbols before it are all that it needs. */
void ag_markov_generate(uint16_t *tokens, int64_t count, const ag_markov *source)
{
    for (int64_t t = 0; t < count; t++) {
        const uint64_t at = (uint64_t)t;
        const ag_philox_block random =
            ag_philox(source->key, (uint32_t)at, (uint32_t)(at >> 32), 0, USE_TOKEN);
        if (source->order == 0 || random.word[0] < 1u << 28) {
            uint64_t number = (uint64_t)random.word[3] << 32 | random.word[2];
            tokens[t] = (uint16_t)(number % source->vocab);
            continue;
        }
        int64_t lag = 1 + (int64_t)leading_zeros(random.word[1], source->order - 1);
        size_t r = leading_zeros(random.word[2], SUCCESSORS - 1);
        size_t symbol = t >= lag ? tokens[t - lag] : 0;
        tokens[t] = successors_of(source, (size_t)lag, symbol)[r];
    }
}

/* Adds one lag's vote to a row of probabilities that has weight `mass`. */
static void add_votes(double *row, const ag_markov *source, size_t lag, size_t symbol, double mass)
{
    const uint16_t *likely = successors_of(source, lag, symbol);
    for (size_t r = 0; r < SUCCESSORS; r++)
        row[likely[r]] += mass * lag_share(source, lag) * s_weight[r];
}

/* row[x] = mass * P(x | context) without the vote of the oldest symbol. `recent` is the number of
 * the context without its oldest symbol. */
static void fill_row(double *row, const ag_markov *source, size_t recent, double mass)
{
    for (size_t x = 0; x < source->vocab; x++)
        row[x] = mass * s_noise / (double)source->vocab;
    for (size_t lag = 1; lag < source->order; lag++) {
        add_votes(row, source, lag, recent % source->vocab, mass);
        recent /= source->vocab;
    }
}

/* One step of the chain: after[] = before[] P. The contexts that share all but their oldest symbol
 * lead to the same V contexts, which lie side by side. Returns the change, sum |after - before|. */
static double step_chain(double *after, const double *before, const ag_markov *source)
{
    const size_t n_recent = source->n_contexts / source->vocab;
    for (size_t recent = 0; recent < n_recent; recent++) {
        double mass = 0;
        for (size_t oldest = 0; oldest < source->vocab; oldest++)
            mass += before[oldest * n_recent + recent];
        double *row = after + recent * source->vocab;
        fill_row(row, source, recent, mass);
        for (size_t oldest = 0; oldest < source->vocab; oldest++)
            add_votes(row, source, source->order, oldest, before[oldest * n_recent + recent]);
    }
    double change = 0;
    for (size_t i = 0; i < source->n_contexts; i++)
        change += fabs(after[i] - before[i]);
    return change;
}

static double entropy_term(double p)
{
    return -p * ag_ln(p);
}

/* The entropy of what follows a context, given that of its row without the oldest symbol's vote:
 * the vote changes at most SUCCESSORS terms. Leaves the row as it was. */
static double context_entropy(double *row, double row_entropy, const ag_markov *source,
                              size_t oldest)
{
    const uint16_t *likely = successors_of(source, source->order, oldest);
    double share = lag_share(source, source->order);
    double before[SUCCESSORS];
    for (size_t r = 0; r < SUCCESSORS; r++) {
        before[r] = row[likely[r]];
        row_entropy -= entropy_term(before[r]);
        row[likely[r]] += share * s_weight[r];
        row_entropy += entropy_term(row[likely[r]]);
    }
    for (size_t r = SUCCESSORS; r-- > 0;)
        row[likely[r]] = before[r];
    return row_entropy;
}

/* Weighted by the stationary distribution; rows of contexts that differ in the oldest symbol alone
 * share their work. */
static double mean_entropy(const double *stationary, double *row, const ag_markov *source)
{
    const size_t n_recent = source->n_contexts / source->vocab;
    double mean = 0;
    for (size_t recent = 0; recent < n_recent; recent++) {
        fill_row(row, source, recent, 1);
        double row_entropy = 0;
        for (size_t x = 0; x < source->vocab; x++)
            row_entropy += entropy_term(row[x]);
        for (size_t oldest = 0; oldest < source->vocab; oldest++)
            mean += stationary[oldest * n_recent + recent] *
                    context_entropy(row, row_entropy, source, oldest);
    }
    return mean;
}

/* The stationary distribution of the contexts by power iteration from the uniform one, until a step
 * changes nothing that matters; noise makes the chain mix fast. Then the mean entropy of what
 * follows. */
ag_status ag_markov_entropy_rate(double *rate, const ag_markov *source)
{
    const size_t n = source->n_contexts;
    if (source->order == 0) {
        *rate = ag_ln((double)source->vocab);
        return AG_OK;
    }
    double *memory = calloc(2 * n + source->vocab, sizeof *memory);
    if (memory == NULL)
        return ag_fail(AG_ERR_SYSTEM, "no memory for the entropy rate of the synthetic corpus");
    double *now = memory;
    double *next = memory + n;
    for (size_t i = 0; i < n; i++)
        now[i] = 1 / (double)n;
    double change = 1;
    for (int i = 0; i < ITERATIONS_MAX && change > 1e-14; i++) {
        change = step_chain(next, now, source);
        double *swap = now;
        now = next;
        next = swap;
    }
    *rate = mean_entropy(now, memory + 2 * n, source);
    free(memory);
    return AG_OK;
}
