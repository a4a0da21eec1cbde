/* What the kernels' files share: their names, and how the fast ones are compiled.
 *
 * A kernel whose plain loop is all that a compiler needs stands once, in a .inc file that is
 * compiled twice: as it is for the reference, and for the widest vectors of the machine at hand
 * for the fast one. A kernel that needs other loops to be fast has a file of its own. */
#ifndef AG_KERNELS_INTERNAL_H
#define AG_KERNELS_INTERNAL_H

#include "base/clones.h"
#include "kernels/kernels.h"

bool ag_is_finite(const float *x, size_t count);

ag_singular_values_fn ag_singular_values_ref, ag_singular_values_fast;
ag_amax_fn ag_amax_ref, ag_amax_fast, ag_amax_shared;
ag_round_bf16_fn ag_round_bf16_ref, ag_round_bf16_fast, ag_round_bf16_shared;
ag_quantize_fn ag_quantize_ref, ag_quantize_fast, ag_quantize_shared;
ag_quantize_stochastic_fn ag_quantize_stochastic_ref, ag_quantize_stochastic_fast,
    ag_quantize_stochastic_shared;
ag_hadamard_fn ag_hadamard_fast, ag_hadamard_shared;
ag_groups_amax_fn ag_groups_amax_fast, ag_groups_amax_shared;
ag_scales_set_fn ag_scales_set_fast;
ag_quantize_groups_fn ag_quantize_groups_ref, ag_quantize_groups_fast, ag_quantize_groups_shared;
ag_quantize_codes_fn ag_quantize_codes_ref, ag_quantize_codes_shared;
ag_epilogue_fn ag_epilogue_ref, ag_epilogue_fast, ag_epilogue_shared;
ag_accumulate_fn ag_accumulate_ref, ag_accumulate_fast, ag_accumulate_shared;
ag_embedding_forward_fn ag_embedding_forward_ref, ag_embedding_forward_fast;
ag_embedding_backward_fn ag_embedding_backward_ref, ag_embedding_backward_fast;
ag_layernorm_forward_fn ag_layernorm_forward_ref, ag_layernorm_forward_fast,
    ag_layernorm_forward_shared;
ag_layernorm_backward_fn ag_layernorm_backward_ref, ag_layernorm_backward_fast,
    ag_layernorm_backward_shared;
ag_bias_backward_fn ag_bias_backward_ref, ag_bias_backward_fast;
ag_gelu_forward_fn ag_gelu_forward_ref, ag_gelu_forward_fast, ag_gelu_forward_shared;
ag_gelu_backward_fn ag_gelu_backward_ref, ag_gelu_backward_fast, ag_gelu_backward_shared;
ag_attention_forward_fn ag_attention_forward_ref, ag_attention_forward_fast;
ag_attention_backward_fn ag_attention_backward_ref, ag_attention_backward_fast;
ag_causal_softmax_fn ag_causal_softmax_ref, ag_causal_softmax_fast, ag_causal_softmax_shared;
ag_causal_softmax_backward_fn ag_causal_softmax_backward_ref, ag_causal_softmax_backward_fast,
    ag_causal_softmax_backward_shared;
ag_cross_entropy_fn ag_cross_entropy_ref, ag_cross_entropy_fast, ag_cross_entropy_shared;
ag_cross_entropy_loss_fn ag_cross_entropy_loss_ref, ag_cross_entropy_loss_fast,
    ag_cross_entropy_loss_shared;
ag_dropout_fn ag_dropout_ref, ag_dropout_fast, ag_dropout_shared;
ag_add_fn ag_add_ref, ag_add_fast, ag_add_shared;
ag_sum_squares_fn ag_sum_squares_ref, ag_sum_squares_fast, ag_sum_squares_shared;
ag_adamw_fn ag_adamw_ref, ag_adamw_fast, ag_adamw_shared;
ag_manifold_adamw_fn ag_manifold_adamw_ref, ag_manifold_adamw_fast, ag_manifold_adamw_shared;
ag_sgd_fn ag_sgd_ref, ag_sgd_fast, ag_sgd_shared;
ag_grid_fn ag_grid_ref, ag_grid_fast;

/* The two halves of ag_layernorm_backward_fn: dx [N, C] +=; and the gradients of the gains, of the
 * columns [begin, end) alone. */
typedef void ag_layernorm_dx_fn(float *restrict dx, const float *restrict dout,
                                const float *restrict x, const float *restrict weight,
                                const float *restrict mean, const float *restrict rstd, size_t N,
                                size_t C);
typedef struct ag_columns {
    size_t begin, end;
} ag_columns;
typedef void ag_layernorm_gains_fn(const ag_layernorm_grads *grads, const float *restrict dout,
                                   const float *restrict x, const float *restrict mean,
                                   const float *restrict rstd, size_t N, size_t C,
                                   ag_columns columns);
ag_layernorm_dx_fn ag_layernorm_dx_ref, ag_layernorm_dx_fast;
ag_layernorm_gains_fn ag_layernorm_gains_ref, ag_layernorm_gains_fast;

/* Groups that lie one after the other in memory, as those of one long row: loops are long, whatever
 * the rows' length. Others stay as they are. */
static inline ag_groups ag_groups_unrolled(const ag_groups *groups)
{
    ag_groups line = *groups;
    if (groups->height == 1 && groups->cols % groups->width == 0)
        line = (ag_groups){.rows = 1,
                           .cols = groups->rows * groups->cols,
                           .height = 1,
                           .width = groups->width,
                           .down = 1,
                           .across = groups->down * groups->across};
    return line;
}

/* Rows [begin, end) of groups, as a matrix of their own. */
static inline ag_groups ag_groups_some(const ag_groups *all, size_t begin, size_t end)
{
    size_t left = all->rows - begin * all->height;
    ag_groups some = *all;
    some.down = end - begin;
    some.rows = some.down * all->height < left ? some.down * all->height : left;
    return some;
}

/* Elements of a block of ag_sum_squares_fn. */
enum { AG_SQUARES_BLOCK = 65536 };

#endif
