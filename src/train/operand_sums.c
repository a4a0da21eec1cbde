/* Operands as accumulators take them: codes of a format, whose scales are left to the epilogue,
 * move the codes' exponents, or are added up apart. What is no code is a value of float32's range.
 */
#include "operand_sums.h"

#include "products/accumulate.h"

bool ag_scheme_has_scales_to_add(const ag_scheme *scheme)
{
    return scheme->quantised &&
           (ag_scheme_has_blocks(scheme) || scheme->channel != AG_CHANNEL_NONE);
}

/* What the scales of blocks are to the accumulator; NONE: the values are no codes. Where a block's
 * float32 scale is that of whole parts, it waits for their promotion, as in DeepSeek-V3. */
static ag_scale_kind scale_kind(const ag_scheme *scheme, const ag_accumulator *accumulator)
{
    bool is_block = scheme->granularity == AG_GRANULARITY_BLOCK && scheme->scale < AG_SCALE_E8M0;
    if (ag_scheme_has_float8_scales(scheme))
        return accumulator->kind == AG_ACCUMULATE_NVFP4 ? AG_SCALES_GROUP : AG_SCALES_NONE;
    if (is_block && accumulator->promote > 0 && scheme->block_cols % accumulator->promote == 0)
        return AG_SCALES_APART;
    bool are_powers = ag_scheme_scales(scheme) == AG_SCALE_E8M0 || (is_block && scheme->pow2);
    return are_powers ? AG_SCALES_SHIFT : AG_SCALES_NONE;
}

/* The scales of the blocks as the product sees the operand. */
static ag_scale_view scales_of(const ag_operand_view *view, size_t rows, size_t K)
{
    const ag_operand *operand = view->operand;
    ag_matrix matrix = {view->across ? K : rows, view->across ? rows : K, operand->sum, 0};
    ag_groups groups = ag_groups_of(operand->scheme, &matrix);
    if (view->across)
        return (ag_scale_view){operand->after, groups.width, 1, groups.height, groups.across};
    return (ag_scale_view){operand->after, groups.height, groups.across, groups.width, 1};
}

static ag_summands summands_of(const ag_operand_view *view, size_t rows, size_t K,
                               const ag_accumulator *accumulator)
{
    const ag_operand *operand = view->operand;
    const ag_scheme *scheme = operand->scheme;
    ag_summands summands = {.at = view->operand->values, .unit = 1};
    summands.row_step = view->across ? 1 : K;
    summands.k_step = view->across ? rows : 1;
    if (!operand->is_quantised)
        return summands;
    if (ag_scheme_is_scaled_after(scheme)) {
        summands.unit = 1 / ag_operand_shift(&scheme->format);
        summands.format = &scheme->format;
        if (scheme->channel != AG_CHANNEL_NONE) {
            summands.kind = AG_SCALES_SHIFT;
            summands.scales = scales_of(view, rows, K);
        }
        return summands;
    }
    if (!ag_scheme_has_scales_to_add(scheme))
        return summands;
    summands.kind = scale_kind(scheme, accumulator);
    if (summands.kind != AG_SCALES_NONE) {
        summands.format = &scheme->format;
        summands.scales = scales_of(view, rows, K);
    }
    return summands;
}

void ag_accumulate_operands(const ag_kernels *k, const ag_accumulator *accumulator,
                            const ag_product *product, const ag_operand_view *a,
                            const ag_operand_view *b)
{
    ag_summands of_a = summands_of(a, product->M, product->K, accumulator);
    ag_summands of_b = summands_of(b, product->N, product->K, accumulator);
    k->product_accumulated(product->c, product->c_step, product->M, product->N, product->K, &of_a,
                           &of_b, accumulator);
}
