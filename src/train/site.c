/* One tensor of a site. Its operands are made as those of a linear layer are: the second use from
 * the tensor as it was, then the first in its place. */
#include <string.h>

#include "operand_words.h"
#include "site.h"

/* One pass over the tensor serves both uses: they round the same values, along different axes. */
static bool needs_amax(const ag_site_operands *tensor)
{
    return ag_operand_needs_amax(&tensor->operands[0]) ||
           (tensor->copies > 1 && ag_operand_needs_amax(&tensor->operands[1]));
}

static size_t elements(const ag_stack *stack)
{
    return stack->matrices * stack->rows * stack->cols;
}

/* The codes of one of the operand's matrices, [rows, K] each. */
static ag_codes codes_at(const ag_operand *operand, size_t across, size_t matrix, size_t rows,
                         size_t K)
{
    ag_codes codes = operand->codes[across];
    if (codes.words == NULL)
        return codes;
    ag_codes_size size = ag_codes_size_of(operand->scheme, rows, K);
    return (ag_codes){codes.words + matrix * size.words, codes.units + matrix * size.units};
}

/* One scale a tensor is that of the whole stack; groups end with their matrix. */
static void make_use(ag_site_operands *tensor, int use, float *out, const float *x, float amax,
                     const ag_stack *stack, const ag_pass *pass)
{
    const ag_operand whole = tensor->operands[use];
    ag_operand *operand = &tensor->operands[use];
    size_t count = stack->rows * stack->cols;
    size_t n_factors = operand->sum == AG_SUM_COLS ? stack->rows : stack->cols;
    for (size_t i = 0; i < stack->matrices; i++) {
        const float *from = x + i * count;
        float *to = out + i * count;
        ag_source source = {.x = from,
                            .rows = stack->rows,
                            .cols = stack->cols,
                            .first = stack->first + i * count,
                            .amax = amax,
                            .continues = i > 0};
        operand->clipped = whole.clipped != NULL ? whole.clipped + i * count : NULL;
        operand->factors = whole.factors != NULL ? whole.factors + i * n_factors : NULL;
        operand->codes[0] = codes_at(&whole, 0, i, stack->rows, stack->cols);
        operand->codes[1] = codes_at(&whole, 1, i, stack->cols, stack->rows);
        ag_operand_make(operand, to, &source, pass);
        tensor->factors[use][i] = operand->factor;
        if (operand->values == from && to != from) /* null; but x will not stay */
            memcpy(to, from, count * sizeof *to);
    }
    operand->clipped = whole.clipped;
    operand->factors = whole.factors;
    memcpy(operand->codes, whole.codes, sizeof operand->codes);
    tensor->values[use] = out;
}

/* The second use is only read in backward, so evaluation does without it. It comes first: the first
 * use takes the place of what both are made from. */
void ag_site_make(ag_site_operands *tensor, float *x, float *copy, const ag_stack *stack,
                  const ag_pass *pass)
{
    float amax = needs_amax(tensor) ? tensor->operands[0].k->amax(x, elements(stack)) : 0.0f;
    if (tensor->copies > 1 && copy != NULL && ag_pass_trains(pass))
        make_use(tensor, 1, copy, x, amax, stack, pass);
    make_use(tensor, 0, x, x, amax, stack, pass);
}

/* The second use is the first where the tensor has one copy for both products. */
ag_stack_operand ag_site_operand(const ag_site_operands *tensor, int use)
{
    int made = use < tensor->copies ? use : 0;
    return (ag_stack_operand){tensor->values[made], tensor->factors[made], &tensor->operands[made]};
}

/* One matrix, as a product of its own: a head of attention. */
ag_operand ag_stack_operand_at(const ag_stack_operand *stack, size_t matrix, size_t rows, size_t K)
{
    ag_operand operand = *stack->operand;
    operand.values = stack->values + matrix * rows * K;
    operand.factor = stack->factors[matrix];
    for (size_t across = 0; across < 2; across++) /* of which the product reads one */
        operand.codes[across] = codes_at(stack->operand, across, matrix, rows, K);
    return operand;
}

/* What is stored low is read again as floats: the factor that undoes the scale is multiplied in at
 * once. */
void ag_site_store(ag_site_operands *tensor, float *x, const ag_stack *stack, const ag_pass *pass)
{
    size_t count = stack->rows * stack->cols;
    ag_site_make(tensor, x, NULL, stack, pass);
    for (size_t i = 0; i < stack->matrices; i++)
        tensor->operands[0].k->epilogue(x + i * count, NULL, stack->rows, stack->cols,
                                        tensor->factors[0][i], (ag_factor){.all = 1.0f}, false);
}

void ag_site_clip_gradient(float *grad, const ag_site_operands *tensor, const ag_stack *stack)
{
    ag_operand_clip_gradient(grad, &tensor->operands[0], stack->matrices * stack->rows,
                             stack->cols);
}

void ag_site_end_rank(ag_site_operands *tensor)
{
    for (int use = 0; use < tensor->copies; use++)
        ag_operand_end_rank(&tensor->operands[use]);
}

void ag_site_end_step(ag_site_operands *tensor)
{
    for (int use = 0; use < tensor->copies; use++)
        ag_operand_end_step(&tensor->operands[use]);
}
