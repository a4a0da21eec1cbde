/* The order of the linear layers is that of the forward pass and of nanoGPT's modules. It is part
 * of the ids, of the random numbers' map (streams.h) and of every table of layers: it never
 * changes. */
#include "run/layers.h"

#include <stdio.h>

#include "run/model_spec.h"
#include "run/parametrisation.h"
#include "run/streams.h"

/* The place of the role 0 of a layer's operands in its block, by ag_linear_kind. */
static const struct {
    const char *name;
    size_t slot, part;
} s_linears[AG_LINEAR_KINDS] = {
    [AG_LINEAR_C_ATTN] = {"attn.c_attn", 0,           0           },
    [AG_LINEAR_C_Q] = {"attn.c_q",    0,           0           },
    [AG_LINEAR_C_K] = {"attn.c_k",    AG_SLOT_C_K, 0           },
    [AG_LINEAR_C_V] = {"attn.c_v",    AG_SLOT_C_V, 0           },
    [AG_LINEAR_ATTN_C_PROJ] = {"attn.c_proj", 1,           0           },
    [AG_LINEAR_C_GATE] = {"mlp.c_gate",  2,           AG_PART_GATE},
    [AG_LINEAR_C_FC] = {"mlp.c_fc",    2,           0           },
    [AG_LINEAR_MLP_C_PROJ] = {"mlp.c_proj",  3,           0           },
    [AG_LINEAR_LM_HEAD] = {"lm_head",     0,           0           },
};

/* A block's kinds in the order of the forward pass. */
static const ag_linear_kind s_order[] = {
    AG_LINEAR_C_ATTN,      AG_LINEAR_C_Q,    AG_LINEAR_C_K,  AG_LINEAR_C_V,
    AG_LINEAR_ATTN_C_PROJ, AG_LINEAR_C_GATE, AG_LINEAR_C_FC, AG_LINEAR_MLP_C_PROJ,
};

enum { ORDERED = sizeof s_order / sizeof s_order[0] };

const char *ag_layer_kind_name(ag_linear_kind kind)
{
    return s_linears[kind].name;
}

bool ag_block_has(const ag_model_spec *model, ag_linear_kind kind)
{
    switch (kind) {
    case AG_LINEAR_C_ATTN:
        return model->qkv == AG_QKV_FUSED;
    case AG_LINEAR_C_Q:
    case AG_LINEAR_C_K:
    case AG_LINEAR_C_V:
        return model->qkv == AG_QKV_SPLIT;
    case AG_LINEAR_C_GATE:
        return model->mlp == AG_MLP_SWIGLU && model->gate_up == AG_GATE_UP_SPLIT;
    case AG_LINEAR_ATTN_C_PROJ:
    case AG_LINEAR_C_FC:
    case AG_LINEAR_MLP_C_PROJ:
        return true;
    default:
        return false;
    }
}

uint32_t ag_block_form(const ag_model_spec *model)
{
    uint32_t form = 0;
    for (uint32_t kind = 0; kind < AG_LINEAR_KINDS; kind++)
        form |= ag_block_has(model, (ag_linear_kind)kind) ? 1u << kind : 0;
    return form;
}

size_t ag_block_linears(const ag_model_spec *model)
{
    size_t count = 0;
    for (size_t i = 0; i < ORDERED; i++)
        count += ag_block_has(model, s_order[i]);
    return count;
}

size_t ag_layer_count(const ag_model_spec *model)
{
    return ag_block_linears(model) * (size_t)model->n_layer + 1;
}

/* The kind of a block's layer number `position`. */
static ag_linear_kind kind_at(const ag_model_spec *model, size_t position)
{
    size_t i = 0;
    while (!ag_block_has(model, s_order[i]) || position-- > 0)
        i++;
    return s_order[i];
}

size_t ag_layer_index(const ag_model_spec *model, ag_linear_kind kind, size_t block)
{
    size_t position = 0;
    if (kind == AG_LINEAR_LM_HEAD)
        return ag_layer_count(model) - 1;
    for (size_t i = 0; s_order[i] != kind; i++)
        position += ag_block_has(model, s_order[i]);
    return block * ag_block_linears(model) + position;
}

static ag_class class_of(ag_linear_kind kind)
{
    if (kind == AG_LINEAR_LM_HEAD)
        return AG_CLASS_HEAD;
    bool ends = kind == AG_LINEAR_ATTN_C_PROJ || kind == AG_LINEAR_MLP_C_PROJ;
    return ends ? AG_CLASS_RESIDUAL : AG_CLASS_HIDDEN;
}

static void set_widths(ag_layer *layer, const ag_model_spec *model, int64_t vocab_size)
{
    ag_sizes sizes = ag_sizes_of(model);
    size_t queries = ag_query_width(&sizes);
    size_t keys = ag_key_width(&sizes);
    const size_t widths[AG_LINEAR_KINDS][2] = {
        [AG_LINEAR_C_ATTN] = {sizes.C, queries + 2 * keys},
        [AG_LINEAR_C_Q] = {sizes.C, queries           },
        [AG_LINEAR_C_K] = {sizes.C, keys              },
        [AG_LINEAR_C_V] = {sizes.C, keys              },
        [AG_LINEAR_ATTN_C_PROJ] = {queries, sizes.C           },
        [AG_LINEAR_C_GATE] = {sizes.C, sizes.F           },
        [AG_LINEAR_C_FC] = {sizes.C, sizes.fc          },
        [AG_LINEAR_MLP_C_PROJ] = {sizes.F, sizes.C           },
        [AG_LINEAR_LM_HEAD] = {sizes.C, (size_t)vocab_size},
    };
    layer->inputs = widths[layer->kind][0];
    layer->outputs = widths[layer->kind][1];
    layer->alpha = ag_class_alpha(model, class_of(layer->kind), layer->inputs);
}

/* A struct by value and no table in memory: a name costs less to print than to keep for every model
 * of a grid. */
ag_layer ag_layer_at(const ag_model_spec *model, int64_t vocab_size, size_t index)
{
    size_t linears = ag_block_linears(model);
    ag_layer layer = {.block = index / linears};
    bool is_head = layer.block == (size_t)model->n_layer;
    layer.kind = is_head ? AG_LINEAR_LM_HEAD : kind_at(model, index % linears);
    layer.place =
        ag_stream_place(layer.block, s_linears[layer.kind].slot, s_linears[layer.kind].part);
    set_widths(&layer, model, vocab_size);
    if (is_head)
        snprintf(layer.name, sizeof layer.name, "lm_head");
    else
        snprintf(layer.name, sizeof layer.name, "transformer.h.%zu.%s", layer.block,
                 s_linears[layer.kind].name);
    return layer;
}

/* Its channels are known by what the gate of a swiglu multiplies. */
static ag_status check_channel(const ag_model_spec *model, const ag_layer *layer,
                               const ag_scheme *input)
{
    const char *word = ag_channel_words[input->channel];
    if (input->channel == AG_CHANNEL_NONE)
        return AG_OK;
    if (layer->kind != AG_LINEAR_MLP_C_PROJ)
        return ag_fail(AG_ERR_INPUT,
                       "scaling.channel: %s is for the input of mlp.c_proj, which a swiglu's gate "
                       "and up make, and this format reaches %s too; give mlp.c_proj a rule of "
                       "its own, {pattern: '\\.mlp\\.c_proj$', format: ..}, and other layers a "
                       "format without it",
                       word, layer->name);
    if (model->mlp != AG_MLP_SWIGLU)
        return ag_fail(AG_ERR_INPUT,
                       "scaling.channel: %s scales channels by what a swiglu's gate multiplies, "
                       "and this model has none; set model.mlp: swiglu, or leave these runs out "
                       "('exclude')",
                       word);
    return AG_OK;
}

ag_status ag_layer_check(const ag_model_spec *model, const ag_layer *layer,
                         const ag_layer_precision *precision)
{
    for (int use = 0; use < AG_USES; use++)
        AG_TRY(check_channel(model, layer, &precision->scheme[AG_ROLE_INPUT][use]));
    return AG_OK;
}

/* Of the two uses of a weight fprop's counts: it is what the forward pass, and so the loss, sees.
 * Rotated weights lie on no grid of their own. */
const ag_scheme *ag_layer_grid(const ag_run *run, size_t index)
{
    bool is_head = index + 1 == ag_layer_count(&run->model);
    bool is_embedding = is_head && run->model.tie_weights;
    const ag_scheme *scheme = &run->layers[index].scheme[AG_ROLE_WEIGHT][0];
    bool has_own = scheme->hadamard == 0 && scheme->format.table == NULL;
    return scheme->quantised && has_own && !is_embedding ? scheme : NULL;
}
