/* Sums of gradients as ranks make them. W(x) = Q(x * S) is what a rank sends of its own and R(s) =
 * Q(s) what it sends on of a sum, both to nearest; the sum divided by S is what all have in the
 * end.
 *
 *   ring     chunk c of N: s = W(g_(c+1)), then s = R(s + W(g_r)) for r = c+2 .. c+N, modulo N
 *            (NCCL all_reduce.h, runRing)
 *   tree     t_r = W(g_r); t_r = R(t_r + t_(r+d)) for d = 1, 2, 4 .. and r = 0, 2d, 4d ..
 *   oneshot  s = W(g_0) + W(g_1) + .. in float32, in this order, then R(s)
 *
 * The head-room of N in S is FP8-LM's (arXiv 2310.18313), without its automatic factor. */
#include "reduce.h"

#include <math.h>
#include <string.h>

#include "base/bits.h"
#include "base/pool.h"
#include "base/sizes.h"

enum { BLOCK = 512, GRAIN = 16 * BLOCK };

/* A tensor's reduction at work. */
typedef struct work {
    float *out;
    float *const *parts;
    const ag_reduction *how;
    const ag_kernels *k;
    size_t chunk; /* elements that a ring sends at a time */
    float scale;
    ag_overflow overflow;
    bool is_exact; /* the wire is float32 */
} work;

static bool has_exponents_of_float32(const ag_format *wire)
{
    return wire->exponent == 8;
}

ag_status ag_reduction_of(ag_reduction *reduction, const ag_ranks_spec *ranks)
{
    *reduction =
        (ag_reduction){.kind = (ag_reduce_kind)ranks->reduce, .ranks = (size_t)ranks->count};
    return ag_format_parse(&reduction->wire, ranks->wire);
}

float ag_reduction_scale(float *const *parts, size_t count, const ag_reduction *reduction,
                         const ag_kernels *k)
{
    float amax = 0.0f;
    if (has_exponents_of_float32(&reduction->wire))
        return 1.0f;
    for (size_t r = 0; r < reduction->ranks; r++)
        amax = fmaxf(amax, k->amax(parts[r], count));
    if (amax == 0.0f || isinf(amax))
        return 1.0f;
    float scale = reduction->wire.max / amax / (float)reduction->ranks;
    scale = ag_bits_float(ag_float_bits(scale) & AG_INFINITE_BITS);
    return fminf(fmaxf(scale, 0x1p-126f), 0x1p126f);
}

/* Kernels leave values of a format divided by a power of two. */
static void send(float *y, const float *x, size_t count, float scale, const work *w)
{
    const ag_format *wire = &w->how->wire;
    if (w->is_exact && y != x)
        memcpy(y, x, count * sizeof *y);
    if (w->is_exact)
        return;
    w->k->quantize(y, x, count, wire, scale, w->overflow);
    w->k->amplify(y, count, 1.0f / ag_operand_shift(wire));
}

/* Elements [at, at + count) of one chunk. */
static void ring(const work *w, size_t at, size_t count)
{
    const size_t N = w->how->ranks;
    const size_t c = at / w->chunk;
    float sum[BLOCK];
    float sent[BLOCK];
    send(sum, w->parts[(c + 1) % N] + at, count, w->scale, w);
    for (size_t i = 2; i <= N; i++) {
        send(sent, w->parts[(c + i) % N] + at, count, w->scale, w);
        w->k->add(sum, sent, count);
        send(sum, sum, count, 1.0f, w);
    }
    memcpy(w->out + at, sum, count * sizeof *sum);
}

static void tree(const work *w, size_t at, size_t count)
{
    const size_t N = w->how->ranks;
    for (size_t r = 0; r < N; r++)
        send(w->parts[r] + at, w->parts[r] + at, count, w->scale, w);
    for (size_t d = 1; d < N; d *= 2) {
        for (size_t r = 0; r + d < N; r += 2 * d) {
            float *sum = w->parts[r] + at;
            w->k->add(sum, w->parts[r + d] + at, count);
            send(sum, sum, count, 1.0f, w);
        }
    }
    memmove(w->out + at, w->parts[0] + at, count * sizeof *w->out);
}

static void oneshot(const work *w, size_t at, size_t count)
{
    float sum[BLOCK];
    float sent[BLOCK];
    send(sum, w->parts[0] + at, count, w->scale, w);
    for (size_t r = 1; r < w->how->ranks; r++) {
        send(sent, w->parts[r] + at, count, w->scale, w);
        w->k->add(sum, sent, count);
    }
    send(w->out + at, sum, count, 1.0f, w);
}

/* By ag_reduce_kind. */
static void (*const s_reduce[])(const work *w, size_t at, size_t count) = {
    [AG_REDUCE_RING] = ring,
    [AG_REDUCE_TREE] = tree,
    [AG_REDUCE_ONESHOT] = oneshot,
};

/* Element by element: how they are cut shows in no bit. */
static void reduce(void *context, size_t begin, size_t end)
{
    const work *w = context;
    for (size_t at = begin; at < end;) {
        size_t chunk_end = at - at % w->chunk + w->chunk;
        size_t stop = ag_smaller(ag_smaller(at + BLOCK, end), chunk_end);
        s_reduce[w->how->kind](w, at, stop - at);
        if (w->scale != 1.0f)
            w->k->amplify(w->out + at, stop - at, 1.0f / w->scale);
        at = stop;
    }
}

void ag_reduce(float *out, float *const *parts, size_t count, const ag_reduction *reduction,
               const ag_kernels *k)
{
    const ag_format *wire = &reduction->wire;
    if (reduction->ranks == 1) { /* it sends nothing */
        memmove(out, parts[0], count * sizeof *out);
        return;
    }
    bool wide = has_exponents_of_float32(wire) && wire->has_inf;
    work w = {.out = out,
              .parts = parts,
              .how = reduction,
              .k = k,
              .chunk = ag_pieces(count, reduction->ranks),
              .scale = ag_reduction_scale(parts, count, reduction, k),
              .overflow = wide ? AG_OVERFLOW_SPECIAL : AG_OVERFLOW_SATURATE,
              .is_exact = wire->bits == 32};
    ag_pool_share(count, GRAIN, reduce, &w);
}
