/* Where tensors beyond the operands of linear layers are quantised, as tables: kinds of sites, the
 * tensors of each, and the sites of a block in the order of their names. Numbers of places
 * (streams.h) and names are part of ids and bits, and never change. */
#include "run/sites.h"

#include <stdio.h>
#include <string.h>

#include "run/optimizers.h"
#include "run/streams.h"

static const ag_site_tensor s_qk[] = {
    {"q",  AG_ROLE_INPUT,       AG_PART_Q,  0, false, AG_SUM_COLS, {"q.scores", "q.dk"}},
    {"k",  AG_ROLE_INPUT,       AG_PART_K,  0, false, AG_SUM_COLS, {"k.scores", "k.dq"}},
    {"ds", AG_ROLE_GRAD_OUTPUT, AG_PART_DS, 0, true,  AG_SUM_COLS, {"ds.dq", "ds.dk"}  },
};
static const ag_site_tensor s_pv[] = {
    {"p",  AG_ROLE_INPUT,       AG_PART_P,  0, true,  AG_SUM_COLS, {"p.out", "p.dv"} },
    {"v",  AG_ROLE_INPUT,       AG_PART_V,  0, false, AG_SUM_ROWS, {"v.out", "v.dp"} },
    {"do", AG_ROLE_GRAD_OUTPUT, AG_PART_DO, 0, false, AG_SUM_COLS, {"do.dp", "do.dv"}},
};
static const ag_site_tensor s_residual[] = {
    {"attn", AG_ROLE_INPUT, AG_PART_AFTER_ATTENTION, 0, true, AG_SUM_COLS, {NULL, NULL}},
    {"mlp",  AG_ROLE_INPUT, AG_PART_AFTER_MLP,       0, true, AG_SUM_COLS, {NULL, NULL}},
};
static const ag_site_tensor s_wgrad[] = {
    {"dw", AG_ROLE_GRAD_OUTPUT, AG_PART_WGRAD, 0, true, AG_SUM_COLS, {NULL, NULL}},
};
static const ag_site_tensor s_opt_m[] = {
    {"m", AG_ROLE_WEIGHT, 0, AG_USE_MOMENT, true, AG_SUM_COLS, {NULL, NULL}},
};
static const ag_site_tensor s_opt_v[] = {
    {"sqrt_v", AG_ROLE_WEIGHT, 0, AG_USE_VARIANCE, true, AG_SUM_COLS, {NULL, NULL}},
};
static const ag_site_tensor s_opt_w[] = {
    {"w", AG_ROLE_WEIGHT, 0, AG_USE_STORED, true, AG_SUM_COLS, {NULL, NULL}},
};
static const ag_site_tensor s_gain[] = {
    {"gain", AG_ROLE_WEIGHT, 0, 0, true, AG_SUM_COLS, {NULL, NULL}},
};

/* By ag_site_kind. */
static const struct {
    const char *ending;
    size_t n_tensors;
    const ag_site_tensor *tensors;
} s_kinds[AG_SITE_KINDS] = {
    {"opt.m",    1, s_opt_m   },
    {"opt.v",    1, s_opt_v   },
    {"opt.w",    1, s_opt_w   },
    {"wgrad",    1, s_wgrad   },
    {"attn.pv",  3, s_pv      },
    {"attn.qk",  3, s_qk      },
    {"residual", 2, s_residual},
    {"gain",     1, s_gain    },
};

/* What has sites in a block, in the order of the sites' names: the linear layers, of which a model
 * has some, and between them attention's two, the residual stream's and those of the norms that
 * the model has gains of. lm_head's come after all blocks. */
typedef struct site_row {
    ag_site_kind kind; /* or the first of four, of a layer */
    ag_linear_kind linear;
    ag_tensor_id gain; /* of a norm */
    const char *norm;  /* how it is called; else NULL */
    uint32_t part;     /* of the block's slot for others */
} site_row;

static const site_row s_block[] = {
    {AG_SITE_OPT_M,    AG_LINEAR_C_ATTN,      AG_TENSOR_IDS,    NULL,          0                },
    {AG_SITE_OPT_M,    AG_LINEAR_C_K,         AG_TENSOR_IDS,    NULL,          0                },
    {AG_SITE_OPT_M,    AG_LINEAR_ATTN_C_PROJ, AG_TENSOR_IDS,    NULL,          0                },
    {AG_SITE_OPT_M,    AG_LINEAR_C_Q,         AG_TENSOR_IDS,    NULL,          0                },
    {AG_SITE_OPT_M,    AG_LINEAR_C_V,         AG_TENSOR_IDS,    NULL,          0                },
    {AG_SITE_GAIN,     AG_LINEAR_KINDS,       AG_T_K_NORM_W,    "attn.k_norm", AG_PART_GAINS + 5},
    {AG_SITE_PV,       AG_LINEAR_KINDS,       AG_TENSOR_IDS,    NULL,          0                },
    {AG_SITE_GAIN,     AG_LINEAR_KINDS,       AG_T_Q_NORM_W,    "attn.q_norm", AG_PART_GAINS + 4},
    {AG_SITE_QK,       AG_LINEAR_KINDS,       AG_TENSOR_IDS,    NULL,          0                },
    {AG_SITE_GAIN,     AG_LINEAR_KINDS,       AG_T_LN_1_W,      "ln_1",        AG_PART_GAINS + 0},
    {AG_SITE_GAIN,     AG_LINEAR_KINDS,       AG_T_LN_1_POST_W, "ln_1_post",   AG_PART_GAINS + 2},
    {AG_SITE_GAIN,     AG_LINEAR_KINDS,       AG_T_LN_2_W,      "ln_2",        AG_PART_GAINS + 1},
    {AG_SITE_GAIN,     AG_LINEAR_KINDS,       AG_T_LN_2_POST_W, "ln_2_post",   AG_PART_GAINS + 3},
    {AG_SITE_OPT_M,    AG_LINEAR_C_FC,        AG_TENSOR_IDS,    NULL,          0                },
    {AG_SITE_OPT_M,    AG_LINEAR_C_GATE,      AG_TENSOR_IDS,    NULL,          0                },
    {AG_SITE_OPT_M,    AG_LINEAR_MLP_C_PROJ,  AG_TENSOR_IDS,    NULL,          0                },
    {AG_SITE_RESIDUAL, AG_LINEAR_KINDS,       AG_TENSOR_IDS,    NULL,          0                },
};

ag_linear_kind ag_layer_kind_by_name(size_t i)
{
    const site_row *row = s_block;
    for (; row->linear == AG_LINEAR_KINDS || i > 0; row++)
        i -= row->linear != AG_LINEAR_KINDS;
    return row->linear;
}

static const site_row s_head = {AG_SITE_OPT_M, AG_LINEAR_LM_HEAD, AG_TENSOR_IDS, NULL, 0};

/* Behind lm_head's, in the order of their names: parts of the last block's slot for others. */
static const struct {
    ag_site_kind kind;
    ag_tensor_id weight;
    const char *name;
    uint32_t part;
} s_last[] = {
    {AG_SITE_GAIN,  AG_T_LN_F_W, "transformer.ln_f", AG_PART_GAINS},
    {AG_SITE_OPT_W, AG_T_WPE,    "transformer.wpe",  AG_PART_WPE  },
    {AG_SITE_OPT_W, AG_T_WTE,    "transformer.wte",  AG_PART_WTE  },
};

enum { LAST = sizeof s_last / sizeof s_last[0] };

static bool is_of_a_layer(ag_site_kind kind)
{
    return kind <= AG_SITE_WGRAD;
}

/* Sites that a model has of a row. */
static size_t row_sites(const ag_model_spec *model, const site_row *row)
{
    if (row->kind == AG_SITE_GAIN)
        return ag_tensor_is_present(model, row->gain) ? 1 : 0;
    if (!is_of_a_layer(row->kind))
        return 1;
    return ag_block_has(model, row->linear) ? AG_SITES_PER_LINEAR : 0;
}

size_t ag_block_sites(const ag_model_spec *model)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof s_block / sizeof s_block[0]; i++)
        count += row_sites(model, &s_block[i]);
    return count;
}

size_t ag_site_count(const ag_model_spec *model)
{
    size_t count = ag_block_sites(model) * (size_t)model->n_layer + AG_SITES_PER_LINEAR;
    for (size_t i = 0; i < LAST; i++)
        count += ag_tensor_is_present(model, s_last[i].weight);
    return count;
}

/* As many sites need not be the same ones: a model with gains of q and k and one with those behind
 * its branches have four norms in a block each. */
static bool have_same_sites(const ag_model_spec *a, const ag_model_spec *b)
{
    bool same = true;
    for (size_t i = 0; i < sizeof s_block / sizeof s_block[0]; i++)
        same &= row_sites(a, &s_block[i]) == row_sites(b, &s_block[i]);
    for (size_t i = 0; i < LAST; i++)
        same &=
            ag_tensor_is_present(a, s_last[i].weight) == ag_tensor_is_present(b, s_last[i].weight);
    return same;
}

bool ag_have_same_layers(const ag_model_spec *a, const ag_model_spec *b)
{
    return a->n_layer == b->n_layer && ag_block_form(a) == ag_block_form(b) &&
           have_same_sites(a, b);
}

/* The row of a block's site `place`, which becomes its place in the row. */
static const site_row *row_at(size_t *place, const ag_model_spec *model)
{
    const site_row *row = s_block;
    for (size_t count; (count = row_sites(model, row)) <= *place; row++)
        *place -= count;
    return row;
}

static void name_site(ag_site *site, const ag_model_spec *model, const site_row *row)
{
    const char *ending = s_kinds[site->kind].ending;
    if (is_of_a_layer(site->kind)) {
        ag_layer layer = ag_layer_at(model, 1, site->layer);
        site->place = layer.place;
        snprintf(site->name, sizeof site->name, "%.*s.%s", AG_LAYER_NAME_SIZE - 8, layer.name,
                 ending);
        return;
    }
    bool is_attention = site->kind == AG_SITE_PV || site->kind == AG_SITE_QK;
    site->place =
        ag_stream_place(site->block, is_attention ? AG_SLOT_ATTENTION : AG_SLOT_OTHERS, row->part);
    snprintf(site->name, sizeof site->name, "transformer.h.%zu.%s%s%s", site->block,
             row->norm != NULL ? row->norm : "", row->norm != NULL ? "." : "", ending);
}

/* The one of this number among the last that the model has. */
static ag_site last_site(const ag_model_spec *model, size_t place)
{
    size_t row = 0;
    for (; !ag_tensor_is_present(model, s_last[row].weight) || place > 0; row++)
        place -= ag_tensor_is_present(model, s_last[row].weight);
    ag_site_kind kind = s_last[row].kind;
    size_t block = (size_t)model->n_layer;
    ag_site site = {
        .kind = kind,
        .block = block,
        .layer = ag_layer_count(model) - 1,
        .weight = s_last[row].weight,
        .place = ag_stream_place(block, AG_SLOT_OTHERS, s_last[row].part),
        .n_tensors = s_kinds[kind].n_tensors,
        .tensors = s_kinds[kind].tensors,
    };
    snprintf(site.name, sizeof site.name, "%s.%s", s_last[row].name, s_kinds[kind].ending);
    return site;
}

ag_site ag_site_at(const ag_model_spec *model, size_t index)
{
    size_t per_block = ag_block_sites(model); /* more than there are behind the blocks */
    size_t block = index / per_block;
    size_t place = index % per_block;
    bool is_head = block == (size_t)model->n_layer;
    if (is_head && place >= AG_SITES_PER_LINEAR)
        return last_site(model, place - AG_SITES_PER_LINEAR);
    const site_row *row = is_head ? &s_head : row_at(&place, model);
    ag_site_kind kind = (ag_site_kind)((size_t)row->kind + place);
    ag_site site = {
        .kind = kind,
        .block = block,
        .layer = is_of_a_layer(kind) ? ag_layer_index(model, row->linear, block)
                                     : block * ag_block_linears(model),
        .weight = is_of_a_layer(kind) ? ag_linear_tensors[row->linear][0] : row->gain,
        .n_tensors = s_kinds[kind].n_tensors,
        .tensors = s_kinds[kind].tensors,
    };
    name_site(&site, model, row);
    return site;
}

/* Searched: the index of a row is nothing that anybody should write down twice. */
size_t ag_site_index(const ag_model_spec *model, ag_site_kind kind, size_t layer)
{
    ag_layer at = ag_layer_at(model, 1, layer);
    size_t index = at.block * ag_block_sites(model);
    const site_row *row = s_block;
    if (at.kind == AG_LINEAR_LM_HEAD)
        return index + (size_t)kind;
    for (; is_of_a_layer(kind) ? row->linear != at.kind : row->kind != kind; row++)
        index += row_sites(model, row);
    return index + (is_of_a_layer(kind) ? (size_t)kind : 0);
}

const char *ag_site_ending(ag_site_kind kind)
{
    return s_kinds[kind].ending;
}

/* A format says a scheme for each role. BF16 is one of a tensor in float32, and none of BF16's own
 * values. A site takes only those of its tensors' roles; all else stays null, so that two formats
 * which differ elsewhere make one site. */
ag_layer_precision ag_site_precision(ag_site_kind kind, const ag_layer_precision *format)
{
    ag_layer_precision precision = {0};
    for (size_t i = 0; i < s_kinds[kind].n_tensors; i++) {
        const ag_site_tensor *tensor = &s_kinds[kind].tensors[i];
        for (size_t use = 0; use < AG_USES; use++) {
            ag_scheme *scheme = &precision.scheme[tensor->role][use];
            ag_scheme said = format->scheme[tensor->role][tensor->uses[use] != NULL ? use : 0];
            if (said.is_bf16 && !tensor->is_float32)
                continue; /* null, unless another tensor of this role is float32 */
            *scheme = said.is_bf16 ? ag_scheme_bf16() : said;
            if (tensor->role != AG_ROLE_INPUT)
                scheme->ste = AG_STE_IDENTITY; /* no gradient passes through its quantiser */
        }
    }
    return precision;
}

bool ag_site_is_on(const ag_layer_precision *precision)
{
    for (int i = 0; i < AG_ROLES * AG_USES; i++) {
        if (precision->scheme[i / AG_USES][i % AG_USES].quantised)
            return true;
    }
    return false;
}

/* Whether a step reads what the one before left of the moment. What is not kept is not stored, and
 * so cannot be quantised where it is stored. */
static bool is_kept(const ag_optimizer_spec *optimizer, ag_site_kind moment, bool of_head)
{
    const ag_optimizer_traits *traits = &ag_optimizers[optimizer->type];
    if (traits->orthogonalises && !of_head)
        return moment == AG_SITE_OPT_M && optimizer->muon_momentum > 0.0;
    if (moment == AG_SITE_OPT_V)
        return traits->has_variance && optimizer->betas[1] > 0.0;
    return (traits->has_betas ? optimizer->betas[0] : optimizer->momentum) > 0.0;
}

bool ag_site_has_effect(const ag_run *run, ag_site_kind kind, bool of_head)
{
    if (kind == AG_SITE_OPT_W) /* also before the first step; a tied head's are the embedding's */
        return !of_head || !run->model.tie_weights;
    if (!is_of_a_layer(kind))
        return true;
    return run->train.steps > 0 &&
           (kind == AG_SITE_WGRAD || is_kept(&run->optimizer, kind, of_head));
}

bool ag_site_is_late(ag_site_kind kind)
{
    return kind == AG_SITE_OPT_W || kind == AG_SITE_GAIN;
}

bool ag_run_stores_weights(const ag_run *run)
{
    for (size_t i = 0; run->sites != NULL && i < ag_site_count(&run->model); i++) {
        if (ag_site_is_on(&run->sites[i]) && ag_site_at(&run->model, i).kind == AG_SITE_OPT_W)
            return true;
    }
    return false;
}

/* A Hadamard transform cancels in a product of two operands that have it: those of wgrad. A site
 * has one product of its own, or none. Weights are stored once a step, by what they are then. */
ag_status ag_site_check(ag_site_kind kind, const ag_layer_precision *precision)
{
    for (int i = 0; i < AG_ROLES * AG_USES; i++) {
        const ag_scheme *scheme = &precision->scheme[i / AG_USES][i % AG_USES];
        if (scheme->from_forward)
            return ag_fail(AG_ERR_INPUT,
                           "sites have no copy of the forward pass: 'from: forward' is for "
                           "weight.dgrad and input.wgrad of layers");
        if (scheme->rule != AG_STATIC_CONSTANT)
            return ag_fail(AG_ERR_INPUT,
                           "static scales of sites are constants: fan_in, fan_out and tokens are "
                           "sizes of a layer");
        if (scheme->hadamard > 0)
            return ag_fail(AG_ERR_INPUT,
                           "sites take no Hadamard transform, which is for both operands of a "
                           "layer's wgrad; name a scheme without it, such as e2m1/nv");
        if (scheme->channel != AG_CHANNEL_NONE)
            return ag_fail(AG_ERR_INPUT,
                           "scaling.channel: %s is for the input of a swiglu's mlp.c_proj, not for "
                           "sites; give this rule a format without it",
                           ag_channel_words[scheme->channel]);
        if (kind == AG_SITE_OPT_W && ag_scheme_keeps_history(scheme))
            return ag_fail(AG_ERR_INPUT,
                           "opt.w stores weights by the scale of the very weights, not by %s "
                           "amax; use amax 'current', such as 'scaling: {amax: current}'",
                           ag_amax_words[scheme->amax]);
    }
    return AG_OK;
}
