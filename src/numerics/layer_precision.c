/* The precision of a layer: which mean the same, and what contradicts itself only where the
 * operands of a product meet. */
#include "numerics/layer_precision.h"

const char *const ag_role_words[AG_ROLES] = {"weight", "input", "grad_output"};
const char *const ag_use_words[AG_ROLES][AG_USES] = {
    {"weight.fprop",      "weight.dgrad"     },
    {"input.fprop",       "input.wgrad"      },
    {"grad_output.dgrad", "grad_output.wgrad"},
};

const char *const ag_linear_product_words[AG_LINEAR_PRODUCTS] = {"fprop", "dgrad", "wgrad"};
const ag_operand_use ag_linear_operands[AG_LINEAR_PRODUCTS][2] = {
    {{AG_ROLE_INPUT, 0},       {AG_ROLE_WEIGHT, 0}},
    {{AG_ROLE_GRAD_OUTPUT, 0}, {AG_ROLE_WEIGHT, 1}},
    {{AG_ROLE_GRAD_OUTPUT, 1}, {AG_ROLE_INPUT, 1} },
};

/* The groups are the same along either axis where all elements, or a square, share a scale. */
bool ag_scheme_serves_both(const ag_scheme uses[AG_USES])
{
    const ag_scheme *scheme = &uses[0];
    bool symmetric = !scheme->quantised || scheme->granularity == AG_GRANULARITY_TENSOR ||
                     (ag_scheme_has_blocks(scheme) && scheme->block_rows == scheme->block_cols);
    symmetric &= scheme->outer != AG_OUTER_ROW;
    return symmetric && !scheme->hadamard && ag_scheme_equal(&uses[0], &uses[1]);
}

/* A copy of BF16 values is those values; weights are rounded to BF16 first. */
void ag_layer_precision_normalise(ag_layer_precision *precision)
{
    ag_scheme *weight = precision->scheme[AG_ROLE_WEIGHT];
    ag_scheme *input = precision->scheme[AG_ROLE_INPUT];
    if (!input[0].quantised)
        input[1].from_forward = false;
    if (!weight[0].quantised && !weight[1].quantised)
        weight[1].from_forward = false;
}

bool ag_accumulates_by_default(const ag_layer_precision *precision)
{
    for (int product = 0; product < AG_LINEAR_PRODUCTS; product++) {
        if (precision->accumulate[product].kind != AG_ACCUMULATE_SEGMENTS)
            return false;
    }
    return true;
}

bool ag_layer_precision_equal(const ag_layer_precision *a, const ag_layer_precision *b)
{
    for (int i = 0; i < AG_ROLES * AG_USES; i++) {
        int role = i / AG_USES;
        int use = i % AG_USES;
        if (!ag_scheme_equal(&a->scheme[role][use], &b->scheme[role][use]))
            return false;
    }
    for (int product = 0; product < AG_LINEAR_PRODUCTS; product++) {
        if (!ag_accumulator_equal(&a->accumulate[product], &b->accumulate[product]))
            return false;
    }
    return true;
}

/* --- what contradicts itself */

/* q * D of a block under a scale of the tensor reaches max * top, whatever the tensor holds, and a
 * product of two such must be a float32. */
static ag_status check_reach(const ag_scheme *scheme)
{
    if (!scheme->quantised || ag_scheme_outer(scheme) == AG_OUTER_NONE || scheme->format.emax <= 40)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT,
                   "values of %s reach 2^%d, and with 8-bit float scales under one of the tensor "
                   "their products pass float32: use scale 'e8m0rceil', or a format of fewer "
                   "exponent bits",
                   scheme->format.name, scheme->format.emax);
}

/* Values of a table under one scale are moved below 2 by a power of two, as those of formats are:
 * the smallest must stay a normal number. */
static ag_status check_span(const ag_scheme *scheme)
{
    if (!scheme->quantised || scheme->format.table == NULL || !ag_scheme_is_scaled_after(scheme) ||
        scheme->format.emin - scheme->format.emax >= -126)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT,
                   "values of %s reach from 2^%d to a top of 2^%d, which float32 does not hold "
                   "below 2: give the table a 'top' of 1 to 16, where its precision is",
                   scheme->format.name, scheme->format.emin, scheme->format.emax);
}

static int size_of_runs(const ag_scheme *scheme)
{
    return scheme->quantised ? scheme->hadamard : 0;
}

/* The transform is orthogonal along the sum: it cancels in a product where both operands have it.
 */
static ag_status check_hadamard(const ag_layer_precision *precision, const ag_operand_use of[2])
{
    const ag_scheme *a = &precision->scheme[of[0].role][of[0].use];
    const ag_scheme *b = &precision->scheme[of[1].role][of[1].use];
    const char *a_word = ag_use_words[of[0].role][of[0].use];
    const char *b_word = ag_use_words[of[1].role][of[1].use];
    int sizes[2] = {size_of_runs(a), size_of_runs(b)};
    if ((sizes[0] == 0) != (sizes[1] == 0))
        return ag_fail(AG_ERR_INPUT,
                       "%s has a Hadamard transform and %s has none, so that their product would "
                       "be another; turn it off with 'hadamard: false', or quantise both",
                       sizes[0] > 0 ? a_word : b_word, sizes[0] > 0 ? b_word : a_word);
    if (sizes[0] != sizes[1] || (sizes[0] > 0 && a->signs != b->signs))
        return ag_fail(AG_ERR_INPUT,
                       "the Hadamard transforms of %s and %s differ in size or signs, so that "
                       "their product would be another",
                       a_word, b_word);
    return AG_OK;
}

/* Only the second operands of weight and input have a copy in the forward pass before them. */
static ag_status check_from(const ag_layer_precision *precision, int role, int use)
{
    bool has_copy = use == 1 && role != AG_ROLE_GRAD_OUTPUT;
    if (!precision->scheme[role][use].from_forward || has_copy)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT, "from: forward is for weight.dgrad and input.wgrad, not for %s",
                   ag_use_words[role][use]);
}

/* Weights and gradients have no tensor beside them by which channels are known. */
static ag_status check_role(const ag_layer_precision *precision, int role, int use)
{
    const ag_scheme *scheme = &precision->scheme[role][use];
    if (scheme->channel == AG_CHANNEL_NONE || role == AG_ROLE_INPUT)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT, "channel '%s' is for input, not for %s",
                   ag_channel_words[scheme->channel], ag_use_words[role][use]);
}

/* An accumulator for NVFP4 needs its scales. */
static ag_status check_accumulator(const ag_layer_precision *precision, int product)
{
    const ag_accumulator *accumulator = &precision->accumulate[product];
    AG_TRY(ag_accumulator_check(accumulator));
    for (int i = 0; i < 2 && accumulator->kind == AG_ACCUMULATE_NVFP4; i++) {
        ag_operand_use of = ag_linear_operands[product][i];
        const ag_scheme *scheme = &precision->scheme[of.role][of.use];
        if (!scheme->quantised || scheme->granularity != AG_GRANULARITY_NV)
            return ag_fail(AG_ERR_INPUT,
                           "b200-nvfp4 adds up NVFP4 with its scales, and %s is %s; use "
                           "granularity 'nv', or b200-fp8 for e2m1 with others",
                           ag_use_words[of.role][of.use],
                           scheme->quantised ? scheme->format.name : "BF16");
    }
    return AG_OK;
}

ag_status ag_layer_precision_check(const ag_layer_precision *precision)
{
    for (int i = 0; i < AG_ROLES * AG_USES; i++) {
        AG_TRY(ag_scheme_check(&precision->scheme[i / AG_USES][i % AG_USES]));
        AG_TRY(check_reach(&precision->scheme[i / AG_USES][i % AG_USES]));
        AG_TRY(check_span(&precision->scheme[i / AG_USES][i % AG_USES]));
        AG_TRY(check_from(precision, i / AG_USES, i % AG_USES));
        AG_TRY(check_role(precision, i / AG_USES, i % AG_USES));
    }
    for (int product = 0; product < AG_LINEAR_PRODUCTS; product++)
        AG_TRY(check_accumulator(precision, product));
    for (int product = 0; product < AG_LINEAR_PRODUCTS; product++)
        AG_TRY(check_hadamard(precision, ag_linear_operands[product]));
    return AG_OK;
}
