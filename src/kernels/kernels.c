/* The two tables of kernels. */
#include "kernels_internal.h"

#include <math.h>

float ag_operand_shift(const ag_format *format)
{
    return format->exponent == 8 ? 1 : ldexpf(1, -format->emax);
}

/* A copy of the matrix, LAPACK's work (3 S + 7 S + 64 (M + N), S the shorter side) and its 8 S
 * integers: more than the reference's copy. */
size_t ag_singular_scratch(size_t M, size_t N)
{
    size_t S = M < N ? M : N;
    return M * N + 14 * S + 64 * (M + N);
}

bool ag_is_finite(const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(x[i]))
            return false;
    }
    return true;
}

const ag_kernels ag_kernels_ref = {
    .name = "ref",
    .product = ag_product_ref,
    .pairs_along = ag_pairs_along,
    .pairs_across = ag_pairs_across,
    .product_accumulated = ag_product_accumulated,
    .singular_values = ag_singular_values_ref,
    .amax = ag_amax_ref,
    .round_bf16 = ag_round_bf16_ref,
    .quantize = ag_quantize_ref,
    .quantize_stochastic = ag_quantize_stochastic_ref,
    .hadamard = ag_hadamard,
    .groups_amax = ag_groups_amax,
    .scales_set = ag_scales_set,
    .quantize_groups = ag_quantize_groups_ref,
    .quantize_codes = ag_quantize_codes_ref,
    .epilogue = ag_epilogue_ref,
    .accumulate = ag_accumulate_ref,
    .embedding_forward = ag_embedding_forward_ref,
    .embedding_backward = ag_embedding_backward_ref,
    .layernorm_forward = ag_layernorm_forward_ref,
    .layernorm_backward = ag_layernorm_backward_ref,
    .bias_backward = ag_bias_backward_ref,
    .gelu_forward = ag_gelu_forward_ref,
    .gelu_backward = ag_gelu_backward_ref,
    .attention_forward = ag_attention_forward_ref,
    .attention_backward = ag_attention_backward_ref,
    .causal_softmax = ag_causal_softmax_ref,
    .causal_softmax_backward = ag_causal_softmax_backward_ref,
    .cross_entropy = ag_cross_entropy_ref,
    .cross_entropy_loss = ag_cross_entropy_loss_ref,
    .dropout = ag_dropout_ref,
    .add = ag_add_ref,
    .sum_squares = ag_sum_squares_ref,
    .adamw = ag_adamw_ref,
    .manifold_adamw = ag_manifold_adamw_ref,
    .sgd = ag_sgd_ref,
    .grid = ag_grid_ref,
};

const ag_kernels ag_kernels_fast = {
    .name = "fast",
    .product = ag_multiply,
    .pairs_along = ag_pairs_along,
    .pairs_across = ag_pairs_across,
    .product_accumulated = ag_product_accumulated,
    .singular_values = ag_singular_values_fast,
    .amax = ag_amax_shared,
    .round_bf16 = ag_round_bf16_shared,
    .quantize = ag_quantize_shared,
    .quantize_stochastic = ag_quantize_stochastic_shared,
    .hadamard = ag_hadamard_shared,
    .groups_amax = ag_groups_amax_shared,
    .scales_set = ag_scales_set_fast,
    .quantize_groups = ag_quantize_groups_shared,
    .quantize_codes = ag_quantize_codes_shared,
    .epilogue = ag_epilogue_shared,
    .accumulate = ag_accumulate_shared,
    .embedding_forward = ag_embedding_forward_fast,
    .embedding_backward = ag_embedding_backward_fast,
    .layernorm_forward = ag_layernorm_forward_shared,
    .layernorm_backward = ag_layernorm_backward_shared,
    .bias_backward = ag_bias_backward_fast,
    .gelu_forward = ag_gelu_forward_shared,
    .gelu_backward = ag_gelu_backward_shared,
    .attention_forward = ag_attention_forward_fast,
    .attention_backward = ag_attention_backward_fast,
    .causal_softmax = ag_causal_softmax_shared,
    .causal_softmax_backward = ag_causal_softmax_backward_shared,
    .cross_entropy = ag_cross_entropy_shared,
    .cross_entropy_loss = ag_cross_entropy_loss_shared,
    .dropout = ag_dropout_shared,
    .add = ag_add_shared,
    .sum_squares = ag_sum_squares_shared,
    .adamw = ag_adamw_shared,
    .manifold_adamw = ag_manifold_adamw_shared,
    .sgd = ag_sgd_shared,
    .grid = ag_grid_fast,
};
