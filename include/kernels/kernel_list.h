/* The one list of kernels. A row (name, plain, fast) makes all that the program knows of a kernel
 * but its type, ag_NAME_fn, and its code: the member NAME of ag_kernels (kernels.h), the functions'
 * declarations (src/kernels/kernels_internal.h) and the entries of both tables
 * (src/kernels/kernels.c). So a kernel that is in one table cannot be missing in the other.
 *
 * Where the plain function has no "_plain" it is the definition itself, in numerics or products.
 * "_shared" cuts the work of the fast version ag_NAME_fast into pieces for the pool's threads. */
#ifndef AG_KERNELS_KERNEL_LIST_H
#define AG_KERNELS_KERNEL_LIST_H

/* clang-format off */
#define AG_KERNEL_LIST(ROW)                                                                        \
    /* products and their operands */                                                              \
    ROW(product, ag_product_ref, ag_multiply)                                                      \
    ROW(pairs_along, ag_pairs_along, ag_pairs_along)                                               \
    ROW(pairs_across, ag_pairs_across, ag_pairs_across)                                            \
    ROW(pairs_range, ag_pairs_range, ag_pairs_range)                                               \
    ROW(product_accumulated, ag_product_accumulated, ag_product_accumulated)                       \
    ROW(amax, ag_amax_plain, ag_amax_shared)                                                       \
    ROW(round_bf16, ag_round_bf16_plain, ag_round_bf16_shared)                                     \
    ROW(round_pairs, ag_round_pairs_plain, ag_round_pairs_shared)                                  \
    ROW(quantize, ag_quantize_plain, ag_quantize_shared)                                           \
    ROW(quantize_stochastic, ag_quantize_stochastic_plain, ag_quantize_stochastic_shared)          \
    ROW(hadamard, ag_hadamard, ag_hadamard_shared)                                                 \
    ROW(groups_amax, ag_groups_amax, ag_groups_amax_shared)                                        \
    ROW(scales_set, ag_scales_set, ag_scales_set_fast)                                             \
    ROW(scales_select, ag_scales_select, ag_scales_select_shared)                                  \
    ROW(quantize_groups, ag_quantize_groups_plain, ag_quantize_groups_shared)                      \
    ROW(quantize_codes, ag_quantize_codes_plain, ag_quantize_codes_shared)                         \
    ROW(epilogue, ag_epilogue_plain, ag_epilogue_shared)                                           \
    ROW(accumulate, ag_accumulate_plain, ag_accumulate_shared)                                     \
    /* layers */                                                                                   \
    ROW(embedding_forward, ag_embedding_forward_plain, ag_embedding_forward_fast)                  \
    ROW(embedding_backward, ag_embedding_backward_plain, ag_embedding_backward_fast)               \
    ROW(norm_forward, ag_norm_forward_plain, ag_norm_forward_shared)                               \
    ROW(norm_backward, ag_norm_backward_plain, ag_norm_backward_shared)                            \
    ROW(rotate, ag_rotate_plain, ag_rotate_shared)                                                 \
    ROW(bias_backward, ag_bias_backward_plain, ag_bias_backward_fast)                              \
    ROW(gelu_forward, ag_gelu_forward_plain, ag_gelu_forward_shared)                               \
    ROW(gelu_backward, ag_gelu_backward_plain, ag_gelu_backward_shared)                            \
    ROW(relu2_forward, ag_relu2_forward_plain, ag_relu2_forward_shared)                            \
    ROW(relu2_backward, ag_relu2_backward_plain, ag_relu2_backward_shared)                         \
    ROW(swiglu_forward, ag_swiglu_forward_plain, ag_swiglu_forward_shared)                         \
    ROW(swiglu_backward, ag_swiglu_backward_plain, ag_swiglu_backward_shared)                      \
    ROW(amplify, ag_amplify_plain, ag_amplify_shared)                                              \
    ROW(blend, ag_blend_plain, ag_blend_shared)                                                    \
    ROW(attention_forward, ag_attention_forward_plain, ag_attention_forward_fast)                  \
    ROW(attention_backward, ag_attention_backward_plain, ag_attention_backward_fast)               \
    ROW(causal_softmax, ag_causal_softmax_plain, ag_causal_softmax_shared)                         \
    ROW(causal_softmax_backward, ag_causal_softmax_backward_plain,                                 \
        ag_causal_softmax_backward_shared)                                                         \
    ROW(cap_scores, ag_cap_scores_plain, ag_cap_scores_shared)                                     \
    ROW(cap_scores_backward, ag_cap_scores_backward_plain, ag_cap_scores_backward_shared)          \
    ROW(cross_entropy, ag_cross_entropy_plain, ag_cross_entropy_shared)                            \
    ROW(cross_entropy_loss, ag_cross_entropy_loss_plain, ag_cross_entropy_loss_shared)             \
    ROW(logits_forward, ag_logits_forward_plain, ag_logits_forward_shared)                         \
    ROW(logits_backward, ag_logits_backward_plain, ag_logits_backward_shared)                      \
    ROW(dropout, ag_dropout_plain, ag_dropout_shared)                                              \
    ROW(add, ag_add_plain, ag_add_shared)                                                          \
    ROW(duplicate, ag_duplicate_plain, ag_duplicate_shared)                                        \
    /* the end of a step */                                                                        \
    ROW(sum_squares, ag_sum_squares_plain, ag_sum_squares_shared)                                  \
    ROW(adamw, ag_adamw_plain, ag_adamw_shared)                                                    \
    ROW(manifold_adamw, ag_manifold_adamw_plain, ag_manifold_adamw_shared)                         \
    ROW(sgd, ag_sgd_plain, ag_sgd_shared)                                                          \
    ROW(grid, ag_grid_plain, ag_grid_fast)                                                         \
    ROW(lion, ag_lion_plain, ag_lion_shared)                                                       \
    ROW(momentum, ag_momentum_plain, ag_momentum_shared)                                           \
    ROW(update_product, ag_product_ref, ag_multiply)                                               \
    ROW(descend, ag_descend_plain, ag_descend_shared)                                              \
    ROW(kahan_step, ag_kahan_step_plain, ag_kahan_step_shared)                                     \
    ROW(kahan_keep, ag_kahan_keep_plain, ag_kahan_keep_shared)                                     \
    ROW(eco, ag_eco_plain, ag_eco_shared)                                                          \
    /* diagnostics */                                                                              \
    ROW(singular_values, ag_singular_values_plain, ag_singular_values_fast)
/* clang-format on */

#endif
