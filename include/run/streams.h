/* Which random words belong to what. A run's bits hang on this map, so no number in it ever
 * changes; what is new takes numbers that are free. All words are Philox's (base/philox.h), keyed
 * by a stream and a seed:
 *
 *   stream             seed              c0, c1 (64 bits)            c2      c3
 *   AG_STREAM_INIT     model.init_seed   pair of elements            tensor  0
 *   AG_STREAM_DATA     train.data_seed   sequence                    0       0
 *   AG_STREAM_ROUNDING the run's         element / 4, use << 56      place   step
 *   AG_STREAM_DROPOUT  the run's         element / 4                 place   step
 *   AG_STREAM_SHARPNESS the run's        weight / 4                  0       0
 *   AG_STREAM_SAMPLE   --seed            token of altgrad sample     0       0
 *   AG_STREAM_CORPUS   data.seed         token (data/markov.h)       ..      ..
 *   AG_STREAM_BOOTSTRAP 0, of no run     draw of a resample (stats/bootstrap.c)
 *
 * Element e of a group of four takes word e % 4. A tensor's number is block * 64 + its
 * ag_tensor_id; c_q, c_k and c_v take the elements that c_attn would have in their place.
 *
 * A place is block * 64 + slot * 8 + part:
 *
 *   slot                part
 *   0 .. 3, a linear    0 weight, 1 input, 2 grad_output (ag_role), 3 dW as it is stored
 *   2, c_gate           4 .. 7, the same
 *   4, attention        0 q, 1 k, 2 v, 3 p, 4 do, 5 ds
 *   5, c_k; 6, c_v      as other linears; c_q is slot 0
 *   7, other tensors    0 residual stream after attention, 1 after the MLP,
 *                       gains of 2 ln_1, 3 ln_2, 4 ln_1_post, 5 ln_2_post, 6 q_norm, 7 k_norm
 *   7, after the last   2 gain of ln_f; 3 wte and 4 wpe as they are stored
 *
 * A linear's rotated operands have the places of its slot from part 4 on, with AG_USE_SIGNS: 4
 * fprop, 5 dgrad, 6 wgrad (numerics/hadamard.c). c_gate has those of c_fc, whose input it shares.
 *
 * lm_head is slot 0 of the block after the last; the embedding's dropout is slot 7 there. A
 * residual branch is dropped at place 0 of its projection, attention's probabilities at p. */
#ifndef AG_RUN_STREAMS_H
#define AG_RUN_STREAMS_H

#include <stddef.h>
#include <stdint.h>

#include "numerics/quantize.h"

enum { AG_PLACES_PER_BLOCK = 64, AG_PLACES_PER_SLOT = 8 };

/* Beyond c_attn, both c_proj and c_fc. */
enum { AG_SLOT_ATTENTION = 4, AG_SLOT_C_K = 5, AG_SLOT_C_V = 6, AG_SLOT_OTHERS = 7 };

/* c_gate shares the slot of c_fc. */
enum { AG_PART_GATE = 4 };

/* Of a linear layer, beyond its ag_role. */
enum { AG_PART_WGRAD = 3 };

enum { AG_PART_Q, AG_PART_K, AG_PART_V, AG_PART_P, AG_PART_DO, AG_PART_DS };

enum { AG_PART_AFTER_ATTENTION, AG_PART_AFTER_MLP, AG_PART_GAINS, AG_PART_WTE, AG_PART_WPE };

/* Uses of a place: 0 and 1 are the products that an operand is made for; from 32 on they are parts
 * that are added (AG_USE_SCALE and others, numerics/quantize.h). */
enum {
    AG_USE_OPTIMIZER = 2, /* at a weight: its update */
    AG_USE_MOMENT = 3,    /* there too: m, */
    AG_USE_VARIANCE = 4,  /* and the root of v, */
    AG_USE_STORED = 5,    /* and the weight itself, as it is stored */
};

static inline uint32_t ag_stream_place(size_t block, size_t slot, size_t part)
{
    return (uint32_t)(block * AG_PLACES_PER_BLOCK + slot * AG_PLACES_PER_SLOT + part);
}

#endif
