/* The engines: the products of products.h, each for one instruction set. They differ in speed
 * alone. */
#ifndef AG_PRODUCTS_ENGINE_H
#define AG_PRODUCTS_ENGINE_H

#include "base/status.h"
#include "products/products.h"

typedef void ag_multiply_fn(const ag_product *product);

/* A product in two steps, both of which threads can share: b's panels, of which `pack` makes every
 * `parts`th from number `part` on; then c from panels, where parts of a and c (ag_product_part) may
 * be taken in any order. `panels`, aligned to 64 bytes, has room for K + 1 words of each column
 * of c, their number taken to a multiple of 16. */
typedef struct ag_by_panels {
    void (*pack)(uint32_t *panels, const ag_product *product, size_t part, size_t parts);
    void (*multiply)(const ag_product *product, uint32_t *panels);
} ag_by_panels;

/* words [rows, (K + 1) / 2] of floats x [rows, K] whose values are BF16's (their lower halves are
 * dropped); returns the range of all. */
typedef ag_range ag_pair_along_fn(uint32_t *words, const float *x, size_t rows, size_t K);
/* words [(K + 1) / 2, rows] of x [K, rows] */
typedef ag_range ag_pair_across_fn(uint32_t *words, const float *x, size_t rows, size_t K);
typedef ag_range ag_pair_range_fn(const float *x, size_t count);

/* Adds up `rounds` products in each of some chains, and says how many multiply-adds that took: the
 * instruction alone, without memory. sums[i] begins as starts[i]. */
enum { AG_CHAINS = 16 };
typedef size_t ag_spin_fn(float sums[AG_CHAINS], const uint32_t starts[AG_CHAINS], size_t rounds);

typedef struct ag_engine {
    const char *name;         /* "portable", "avx2", .. */
    const char *instructions; /* for people: "AVX-512 with BF16 and VNNI" */
    bool pairs_pay;           /* pairs are faster than floats: operands should be written so */
    bool codes_pay;           /* codes of 8 bits are, and faster than pairs */
    ag_multiply_fn *floats;   /* of floats, and pairs of any range */
    ag_multiply_fn *pairs;    /* of pairs that are normal, b as pairs or as bfloat16s; or NULL */
    ag_multiply_fn *codes;
    const ag_by_panels *floats_by_panels;
    const ag_by_panels *pairs_by_panels; /* or NULL */
    ag_pair_along_fn *pair_along;
    ag_pair_across_fn *pair_across;
    ag_pair_range_fn *pair_range;
    ag_spin_fn *spin;       /* with floats */
    ag_spin_fn *spin_pairs; /* or NULL */
    ag_spin_fn *spin_codes;
    bool (*runs_here)(void); /* whether this processor has the instructions */
} ag_engine;

/* From the plainest to the fastest, those of this build's architecture; NULL at the end. */
extern const ag_engine *const ag_engines[];

/* The engine called `name`, or the fastest that this processor has and that proves its bits; the
 * choice takes some milliseconds. NULL or "": the fastest. Fails where there is no such engine, or
 * the processor lacks it. */
ag_status ag_engine_choose(const ag_engine **out, const char *name);

/* Whether the engine gives the reference's bits for some thousand sums made to show another order
 * or rounding. */
bool ag_engine_proves(const ag_engine *engine);

/* The product, by whichever of the engine's ways its operands allow. No allocation; up to 300 KiB
 * of stack. */
void ag_engine_multiply(const ag_engine *engine, const ag_product *product);

/* The same in two steps; NULL where the engine has none for such operands. */
const ag_by_panels *ag_engine_by_panels(const ag_engine *engine, const ag_product *product);

#endif
