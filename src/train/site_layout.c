/* Memory of the sites that a run has on: their tensors in one table, site by site, and what points
 * into it from the blocks and layers. */
#include <string.h>

#include "model.h"
#include "operand_words.h"
#include "run/phases.h"
#include "run/sites.h"
#include "site_layout.h"

/* Where tensors stand in their site's row (run/sites.c). */
enum { Q = 0, K = 1, DS = 2, P = 0, V = 1, DO = 2 };

typedef struct builder {
    ag_model *model;
    const ag_run *run;
    const ag_run_phase *of;
    ag_layout *layout;
    ag_scale_cursor next;
    size_t groups; /* with a scale, that a matrix of the sites so far has at most */
} builder;

/* All tensors of all sites count, on or off: then the place of a scale in a checkpoint depends on
 * the model alone. */
ag_scale_cursor ag_sites_scales(const ag_run *run)
{
    ag_scale_cursor sum = {0, 0};
    for (size_t i = 0; run->sites != NULL && i < ag_site_count(&run->model); i++) {
        ag_site site = ag_site_at(&run->model, i);
        for (size_t t = 0; t < site.n_tensors * AG_USES; t++) {
            ag_role role = site.tensors[t / AG_USES].role;
            sum.scales++;
            sum.amaxes += (size_t)run->sites[i].scheme[role][t % AG_USES].history;
        }
    }
    return sum;
}

/* --- one tensor */

/* The parameters that a site is about; NULL for those of a tied lm_head, which are wte's, and for
 * sites of activations. */
static const ag_tensor *tensor_of(const builder *b, const ag_site *site)
{
    bool is_in_block = site->block < (size_t)b->run->model.n_layer;
    return ag_tensor_find(&b->model->state->tensors, site->weight, is_in_block ? site->block : 0);
}

/* The largest stack that the tensor can be. P and dS are squares of scores, of every query head; K
 * and V have one matrix for each key head, which grouped-query attention has fewer of. */
static ag_stack most_of(const builder *b, const ag_site *site, const ag_site_tensor *tensor)
{
    const ag_model *model = b->model;
    bool is_attention = site->kind == AG_SITE_QK || site->kind == AG_SITE_PV;
    bool is_square = tensor == &site->tensors[site->kind == AG_SITE_PV ? P : DS];
    bool is_shared = tensor == &site->tensors[site->kind == AG_SITE_PV ? V : K];
    size_t heads = model->B * (is_shared ? model->K : model->H);
    if (is_attention)
        return (ag_stack){heads, model->T, is_square ? model->T : model->D, 0};
    if (site->kind == AG_SITE_RESIDUAL)
        return (ag_stack){1, model->B * model->T, model->C, 0};
    if (site->kind == AG_SITE_GAIN)
        return (ag_stack){1, 1, tensor_of(b, site)->count, 0};
    if (site->weight == AG_T_WTE || site->weight == AG_T_WPE) {
        const ag_tensor *embedding = tensor_of(b, site);
        return (ag_stack){1, embedding->dims[0], embedding->dims[1], 0};
    }
    ag_layer layer = ag_layer_at(&b->run->model, b->run->facts.vocab_size, site->layer);
    return (ag_stack){1, layer.outputs, layer.inputs, 0};
}

/* The axis that a use sums over. */
static ag_sum sum_of(const ag_site_tensor *tensor, int use)
{
    return (tensor->sum == AG_SUM_COLS) == (use == 0) ? AG_SUM_COLS : AG_SUM_ROWS;
}

/* A scale of the whole tensor needs no arrays: it is a number of the operand. The arrays of scales
 * are shared by all sites, which use them one after the other. */
static void lay_out_groups(builder *b, ag_operand *operand, const ag_stack *most)
{
    const ag_scheme *scheme = operand->scheme;
    ag_matrix matrix = {.rows = most->rows, .cols = most->cols, .sum = operand->sum};
    if (!scheme->quantised || scheme->granularity == AG_GRANULARITY_TENSOR)
        return;
    ag_groups groups = ag_groups_of(scheme, &matrix);
    size_t count = ag_groups_count(&groups);
    b->groups = count > b->groups ? count : b->groups;
    if (ag_scheme_has_row_factors(scheme))
        operand->factors = ag_layout_floats(
            b->layout, most->matrices * (operand->sum == AG_SUM_COLS ? most->rows : most->cols));
}

/* Tensors of attention meet as those of a linear layer do: the first is its input, the second its
 * weight, the third its gradient. */
static bool has_codes(const ag_layer_precision *precision, const ag_site *site,
                      const ag_site_tensor *tensor, int use)
{
    static const ag_role roles[AG_ROLES] = {AG_ROLE_INPUT, AG_ROLE_WEIGHT, AG_ROLE_GRAD_OUTPUT};
    const ag_scheme *schemes[AG_ROLES];
    if (tensor->uses[1] == NULL)
        return false;
    for (size_t t = 0; t < AG_ROLES; t++)
        schemes[roles[t]] = precision->scheme[site->tensors[t].role];
    return ag_use_has_codes(schemes, NULL, roles[tensor - site->tensors], use);
}

/* A stack holds the codes of its matrices one after the other. */
static void lay_out_codes_of(builder *b, ag_operand *operand, const ag_stack *most, bool across)
{
    ag_codes_size size = across ? ag_codes_size_of(operand->scheme, most->cols, most->rows)
                                : ag_codes_size_of(operand->scheme, most->rows, most->cols);
    size.words *= most->matrices;
    size.units *= most->matrices;
    operand->codes[across] = ag_codes_lay_out(b->layout, size);
}

/* Where every product of the operand takes codes, its floats need not be made. */
static void lay_out_codes(builder *b, ag_site_operands *operands, const ag_site *site,
                          const ag_site_tensor *tensor, int use,
                          const ag_layer_precision *precision)
{
    ag_stack most = most_of(b, site, tensor);
    ag_operand *operand = &operands->operands[use];
    operand->codes_alone = true;
    for (int of = 0; of < AG_USES; of++) {
        if (use >= operands->copies || (of != use && operands->copies > 1))
            continue;
        if (has_codes(precision, site, tensor, of))
            lay_out_codes_of(b, operand, &most, sum_of(tensor, of) == AG_SUM_ROWS);
        else
            operand->codes_alone = false;
    }
}

/* The mask of what was clipped is for the tensor's own gradient: that of what goes into a product,
 * in its first use. */
static void lay_out_use(builder *b, ag_site_operands *operands, const ag_site *site,
                        const ag_site_tensor *tensor, int use, const ag_scheme *scheme)
{
    ag_train_state *state = b->model->state;
    ag_stack most = most_of(b, site, tensor);
    ag_operand *operand = &operands->operands[use];
    *operand = (ag_operand){
        .k = b->model->k,
        .scheme = scheme,
        .sum = sum_of(tensor, use),
        .layer = operands->site,
        .static_scale = ag_static_scale(scheme, 1), /* a constant: ag_site_check */
        .role = operands->copies > 1 ? tensor->uses[use] : tensor->name,
        .place = site->place + tensor->part,
        .use = tensor->use + (uint32_t)use,
        .history = ag_layout_part(state->amaxes, b->next.amaxes),
        .scales = &b->model->site_scales,
    };
    if (state->scales != NULL)
        operand->scale = &state->scales[b->next.scales];
    b->next.scales++;
    b->next.amaxes += (size_t)scheme->history;
    bool differentiated = tensor->role == AG_ROLE_INPUT && use == 0;
    if (differentiated && scheme->quantised && scheme->ste == AG_STE_CLIP)
        operand->clipped = ag_layout_bytes(b->layout, most.matrices * most.rows * most.cols);
    lay_out_groups(b, operand, &most);
    operands->factors[use] =
        ag_layout_bytes(b->layout, most.matrices * sizeof *operands->factors[use]);
}

static void lay_out_tensor(builder *b, ag_site_operands *operands, size_t index,
                           const ag_site *site, const ag_site_tensor *tensor)
{
    const ag_scheme *schemes = b->run->sites[index].scheme[tensor->role];
    bool has_products = tensor->uses[1] != NULL;
    memcpy(operands->site, site->name, sizeof operands->site);
    bool shares = ag_site_serves_both(b->of->run, b->of->phase, index, tensor->role);
    operands->copies = has_products && !shares ? AG_USES : 1;
    for (int use = 0; use < AG_USES; use++) {
        lay_out_use(b, operands, site, tensor, use, &schemes[use]);
        lay_out_codes(b, operands, site, tensor, use, &b->run->sites[index]);
    }
}

/* --- what points to it */

static bool is_on(const builder *b, ag_site_kind kind, size_t layer)
{
    return ag_site_is_on(&b->run->sites[ag_site_index(&b->run->model, kind, layer)]);
}

/* The first tensor of a site, or NULL where it is off. */
static ag_site_operands *tensors_of(const builder *b, ag_site_kind kind, size_t layer)
{
    size_t index = ag_site_index(&b->run->model, kind, layer);
    return is_on(b, kind, layer) ? &b->model->sites[index * AG_SITE_TENSORS] : NULL;
}

/* Off, they stay NULL, which is how the layer knows. */
static void lay_out_linear(const builder *b, ag_linear *linear, size_t layer)
{
    linear->dw = tensors_of(b, AG_SITE_WGRAD, layer);
    linear->m = tensors_of(b, AG_SITE_OPT_M, layer);
    linear->v = tensors_of(b, AG_SITE_OPT_V, layer);
}

/* Weights that are stored in a format: their tensor knows it. */
static void lay_out_store(const builder *b, size_t index)
{
    ag_site site = ag_site_at(&b->run->model, index);
    ag_train_state *state = b->model->state;
    if (site.kind != AG_SITE_OPT_W || !ag_site_is_on(&b->run->sites[index]))
        return;
    const ag_tensor *tensor = tensor_of(b, &site);
    if (tensor != NULL)
        state->grids[tensor - state->tensors.rows].store =
            &b->model->sites[index * AG_SITE_TENSORS];
}

static ag_norm *norm_of(ag_model *model, const ag_site *site)
{
    ag_block *block = site->block < model->L ? &model->blocks[site->block] : NULL;
    switch (site->weight) {
    case AG_T_LN_1_W:
        return &block->attn.ln;
    case AG_T_LN_1_POST_W:
        return &block->attn.ln_post;
    case AG_T_LN_2_W:
        return &block->mlp.ln;
    case AG_T_LN_2_POST_W:
        return &block->mlp.ln_post;
    case AG_T_Q_NORM_W:
        return &block->qk_norm[0];
    case AG_T_K_NORM_W:
        return &block->qk_norm[1];
    default:
        return &model->ln_f;
    }
}

/* The norm reads what the format leaves of its gains. */
static void lay_out_gain(const builder *b, size_t index)
{
    ag_site site = ag_site_at(&b->run->model, index);
    if (site.kind != AG_SITE_GAIN || !ag_site_is_on(&b->run->sites[index]))
        return;
    ag_norm *norm = norm_of(b->model, &site);
    norm->gains = tensor_of(b, &site)->count;
    norm->stored = &b->model->sites[index * AG_SITE_TENSORS];
    norm->held = ag_layout_floats(b->layout, norm->gains);
    norm->form.weight = norm->held;
}

/* A tensor's place, and one for its second use where that is made apart. */
static void lay_out_copies(builder *b, float *out[AG_USES], const ag_site_operands *tensor,
                           size_t count)
{
    for (int use = 0; use < tensor->copies; use++)
        out[use] = ag_layout_floats(b->layout, count);
}

/* The operands of both sites, of which one may be null throughout. */
static void lay_out_attention(builder *b, ag_attention *attention, size_t layer)
{
    ag_model *model = b->model;
    const ag_model_spec *spec = &b->run->model;
    size_t queries = model->B * model->T * model->H * model->D;
    size_t keys = model->B * model->T * model->K * model->D;
    size_t square = model->B * model->H * model->T * model->T;
    if (!is_on(b, AG_SITE_QK, layer) && !is_on(b, AG_SITE_PV, layer))
        return;
    ag_site_operands *qk = &model->sites[ag_site_index(spec, AG_SITE_QK, layer) * AG_SITE_TENSORS];
    ag_site_operands *pv = &model->sites[ag_site_index(spec, AG_SITE_PV, layer) * AG_SITE_TENSORS];
    *attention = (ag_attention){
        .kernels = model->k,
        .q = &qk[Q],
        .k = &qk[K],
        .ds = &qk[DS],
        .p = &pv[P],
        .v = &pv[V],
        .dout = &pv[DO],
        .space = &model->attention_space,
    };
    lay_out_copies(b, attention->heads[0], attention->q, queries);
    lay_out_copies(b, attention->heads[1], attention->k, keys);
    lay_out_copies(b, attention->heads[2], attention->v, keys);
    lay_out_copies(b, attention->dropped, attention->p, square);
}

/* What the blocks share, once some block's attention is quantised. */
static void lay_out_space(builder *b)
{
    ag_model *model = b->model;
    ag_attention_space *space = &model->attention_space;
    size_t queries = model->H * model->D;
    bool any = false;
    for (size_t i = 0; i < model->L; i++)
        any |= model->blocks[i].attention.q != NULL;
    for (size_t i = 0; any && i < 3; i++)
        space->heads[i] = ag_layout_floats(b->layout, model->B * model->T * queries);
    size_t square = any ? model->B * model->H * model->T * model->T : 0;
    size_t head = any ? model->T * (model->T > queries ? model->T : queries) : 0;
    space->dscores = ag_layout_floats(b->layout, square);
    space->dscores_copy = ag_layout_floats(b->layout, square);
    for (size_t i = 0; i < 2; i++)
        space->room[i] = ag_layout_bytes(b->layout, head * sizeof(uint32_t));
}

static void lay_out_block(builder *b, ag_block *block)
{
    size_t first = block->index * b->model->n_kinds;
    lay_out_attention(b, &block->attention, first);
    block->residual = tensors_of(b, AG_SITE_RESIDUAL, first);
}

/* First all tensors, then what points to them. The tensors are one table, so that ending a step is
 * one loop over it. */
ag_status ag_sites_lay_out(ag_model *model, const ag_run *run, const ag_run_phase *of,
                           ag_scale_cursor next, ag_layout *layout)
{
    builder b = {.model = model, .run = run, .of = of, .layout = layout, .next = next};
    if (run->sites == NULL)
        return AG_OK;
    size_t count = ag_site_count(&run->model);
    model->n_sites = count * AG_SITE_TENSORS;
    model->sites = ag_layout_table(layout, model->n_sites * sizeof *model->sites);
    if (model->sites == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu sites", count);
    for (size_t i = 0; i < count; i++) {
        ag_site site = ag_site_at(&run->model, i);
        for (size_t t = 0; t < site.n_tensors; t++)
            lay_out_tensor(&b, &model->sites[i * AG_SITE_TENSORS + t], i, &site, &site.tensors[t]);
    }
    model->n_groups = b.groups > model->n_groups ? b.groups : model->n_groups;
    model->site_scales.scale = ag_layout_floats(layout, b.groups);
    model->site_scales.after = ag_layout_floats(layout, b.groups);
    for (size_t i = 0; i < model->L; i++)
        lay_out_block(&b, &model->blocks[i]);
    for (size_t i = 0; i < ag_layer_count(&run->model); i++)
        lay_out_linear(&b, ag_model_linear(model, i), i);
    for (size_t i = 0; i < count; i++) {
        lay_out_store(&b, i);
        lay_out_gain(&b, i);
    }
    lay_out_space(&b);
    return AG_OK;
}
