/* The engine that the program runs, and how a product is shared among the threads of the pool. A
 * product is shared out by rows or columns of c, never along k: each element is one thread's, from
 * its first multiply-add to its last. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/pages.h"
#include "base/pool.h"
#include "products_internal.h"

static const ag_engine *s_engine;

static const ag_engine *engine(void)
{
    if (s_engine == NULL && ag_products_init() != AG_OK)
        ag_error_clear(); /* who began without it does not ask */
    return s_engine;
}

ag_status ag_products_init(void)
{
    char why[AG_MESSAGE_SIZE];
    if (ag_engine_choose(&s_engine, getenv("ALTGRAD_PRODUCTS")) == AG_OK)
        return AG_OK;
    ag_error_take(why, sizeof why);
    ag_engine_choose(&s_engine, NULL);
    return ag_fail(AG_ERR_SYSTEM, "ALTGRAD_PRODUCTS: %s", why);
}

const char *ag_products_engine(void)
{
    return engine()->instructions;
}

bool ag_products_have_pairs(void)
{
    return engine()->pairs_pay;
}

bool ag_products_have_codes(void)
{
    return engine()->codes_pay;
}

/* --- products by shares */

enum { TILE_ROWS = 48 }; /* whole tiles of 3, 4 or 6 rows, and a group of them (product.inc) */

typedef struct sharing {
    const ag_engine *engine;
    const ag_product *product;
} sharing;

static void some_rows(void *context, size_t begin, size_t end)
{
    const sharing *s = context;
    const ag_product part = ag_product_part(s->product, begin, end, 0, s->product->N);
    ag_engine_multiply(s->engine, &part);
}

static void some_columns(void *context, size_t begin, size_t end)
{
    const sharing *s = context;
    const ag_product part = ag_product_part(s->product, 0, s->product->M, begin, end);
    ag_engine_multiply(s->engine, &part);
}

/* Shares of whole units, one for each thread and as equal as they can be: elements of the largest.
 */
static size_t equal_share(size_t count, size_t unit, size_t threads)
{
    return ag_pieces(ag_pieces(count, unit), threads) * unit;
}

/* One share per thread, of rows or of columns. Each share of rows packs all of b, which pays for
 * some hundred rows; where a's rows are tokens they meet the core that made them (base/pool.c).
 * Shares of columns pack b's panels once, but may be of unequal size. */
static bool shares_rows(const ag_product *p, size_t rows, size_t columns, size_t threads)
{
    enum { ENOUGH_ROWS = 192 };
    const bool are_tokens = p->a.k_step == 1;
    const bool columns_are_even = columns * threads * 7 <= p->N * 8;
    return p->N < (size_t)2 * PANEL_COLUMNS ||
           (rows >= ENOUGH_ROWS && (are_tokens || !columns_are_even));
}

static void multiply_by_shares(sharing *s, size_t threads)
{
    const ag_product *p = s->product;
    const size_t columns = equal_share(p->N, PANEL_COLUMNS, threads);
    const size_t rows = equal_share(p->M, TILE_ROWS, threads);
    if (shares_rows(p, rows, columns, threads))
        ag_pool_share(p->M, rows, some_rows, s);
    else
        ag_pool_share(p->N, columns, some_columns, s);
}

/* --- products by panels: b is packed once, by all threads; then they take runs of rows, which
 * become so short at the end that a core which is slower than the others, since another program has
 * its sibling, takes fewer. */

enum {
    MOST_PANELS = 4 << 20, /* words, 16 MiB: larger matrices go by shares */
    FEWEST_ROWS = 192,     /* of c that pay for waiting twice for all threads */
    PIECE_ROWS = 24,       /* of c, the least that a thread takes: half a group, since what remains
                              at the end is waited for */
    PARTS = 7              /* of the panels, for each thread */
};

/* Room for panels. It grows to the largest product and stays, as the pool does. */
static struct {
    uint32_t *words;
    size_t size;
} s_panels;

static bool make_room(size_t size)
{
    enum { FEWEST = 1 << 20 };
    if (size <= s_panels.size)
        return true;
    free(s_panels.words);
    s_panels.size = size > FEWEST ? size : FEWEST;
    s_panels.words = ag_pages_alloc(s_panels.size * sizeof *s_panels.words);
    s_panels.size = s_panels.words == NULL ? 0 : s_panels.size;
    return s_panels.words != NULL;
}

typedef struct by_panels {
    const ag_by_panels *way;
    const ag_product *product;
    size_t parts;
} by_panels;

static void some_panels(void *context, size_t begin, size_t end)
{
    const by_panels *b = context;
    for (; begin < end; begin++)
        b->way->pack(s_panels.words, b->product, begin, b->parts);
}

static void rows_from_panels(void *context, size_t begin, size_t end)
{
    const by_panels *b = context;
    const ag_product part = ag_product_part(b->product, begin, end, 0, b->product->N);
    b->way->multiply(&part, s_panels.words);
}

/* False where this is not the way for such a product, or there is no memory for it. */
static bool multiply_by_panels(const ag_product *p, size_t threads)
{
    const size_t words = (p->K + 1) * ag_pieces(p->N, 16) * 16;
    by_panels b = {ag_engine_by_panels(engine(), p), p, PARTS * threads};
    if (b.way == NULL || p->M < FEWEST_ROWS || words > MOST_PANELS || !make_room(words))
        return false;
    ag_pool_share(b.parts, 1, some_panels, &b);
    ag_pool_share_runs(p->M, PIECE_ROWS, rows_from_panels, &b);
    return true;
}

/* Products with a triangle are those of many heads, which share the threads; so do others that are
 * multiplied within a body. */
void ag_multiply(const ag_product *p)
{
    const size_t threads = (size_t)ag_pool_threads();
    sharing s = {engine(), p};
    if (threads == 1 || p->triangle != AG_TRIANGLE_NONE || ag_pool_inside())
        ag_engine_multiply(s.engine, p);
    else if (!multiply_by_panels(p, threads))
        multiply_by_shares(&s, threads);
}

/* --- operands */

enum { PIECE = 16384 }; /* elements */

ag_range ag_pairs_of_rows(const ag_pairs *to, const float *x, size_t cols, size_t begin, size_t end)
{
    const ag_engine *e = engine();
    const size_t rows = end - begin;
    ag_range range = ag_no_range();
    x += begin * cols;
    if (to->along == NULL && to->across == NULL)
        return e->pair_range(x, rows * cols);
    if (to->along != NULL)
        range = e->pair_along(to->along + begin * ag_words_of(AG_WORD_PAIR, cols), x, rows, cols);
    if (to->across != NULL)
        range = e->pair_across(to->across + begin / 2 * cols, x, cols, rows);
    return range;
}

typedef struct packing {
    const ag_pairs *to;
    const float *x;
    size_t cols;
    atomic_uint least, most;
} packing;

/* Raises the range to cover that of some rows, by atomic minimum and maximum. */
static void pack_piece(void *context, size_t begin, size_t end)
{
    packing *p = context;
    ag_range range = ag_pairs_of_rows(p->to, p->x, p->cols, begin, end);
    ag_lower_to(&p->least, range.least);
    ag_raise_to(&p->most, range.most);
}

/* Pieces are of an even number of rows, so that no word of two rows crosses their ends. The engine
 * is chosen before threads ask for it. */
static ag_range pack(ag_pairs to, const float *x, size_t rows, size_t cols)
{
    const ag_range none = ag_no_range();
    packing p = {.to = &to, .x = x, .cols = cols};
    const size_t two_rows = cols < PIECE / 2 ? PIECE / (2 * cols) : 1;
    atomic_store(&p.least, none.least);
    atomic_store(&p.most, none.most);
    engine();
    ag_pool_share(rows, 2 * two_rows, pack_piece, &p);
    return (ag_range){atomic_load(&p.least), atomic_load(&p.most)};
}

ag_range ag_pairs_along(uint32_t *words, const float *x, size_t rows, size_t K)
{
    return pack((ag_pairs){.along = words}, x, rows, K);
}

ag_range ag_pairs_across(uint32_t *words, const float *x, size_t rows, size_t K)
{
    return pack((ag_pairs){.across = words}, x, K, rows);
}

ag_range ag_pairs_range(const float *x, size_t count)
{
    return pack((ag_pairs){.along = NULL}, x, count, 1);
}

/* --- what bounds a product */

typedef struct spinning {
    ag_spin_fn *spin;
    size_t rounds;
    atomic_size_t done; /* multiply-adds */
} spinning;

static void spin_piece(void *context, size_t begin, size_t end)
{
    static const uint32_t zeros[AG_CHAINS];
    float sums[AG_CHAINS];
    spinning *s = context;
    for (size_t i = begin; i < end; i++)
        atomic_fetch_add(&s->done, s->spin(sums, zeros, s->rounds));
}

static ag_spin_fn *spin_of(const ag_engine *engine, ag_word word)
{
    if (word == AG_WORD_CODES)
        return engine->spin_codes;
    bool pairs = word == AG_WORD_PAIR && engine->spin_pairs != NULL;
    return pairs ? engine->spin_pairs : engine->spin;
}

/* The best of some tries, each twice as long as the one before, until one takes milliseconds: long
 * enough for the clock, and for a processor to raise its own. */
double ag_products_peak(ag_word word)
{
    const double enough_s = 4e-3;
    spinning s = {spin_of(engine(), word), 1000, 0};
    double peak = 0;
    for (double seconds = 0; seconds < enough_s; s.rounds *= 2) {
        atomic_store(&s.done, 0);
        double start_s = ag_clock_s();
        ag_pool_share((size_t)ag_pool_threads(), 1, spin_piece, &s);
        seconds = ag_clock_s() - start_s;
        peak = fmax(peak, (double)atomic_load(&s.done) / seconds);
    }
    return peak;
}
