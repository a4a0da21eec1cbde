/* The order of the linear layers is that of the forward pass and of nanoGPT's modules. It is part
 * of the ids, of the random numbers' map (streams.h) and of every table of layers: it never
 * changes. */
#include "run/layers.h"

#include <stdio.h>

#include "run/streams.h"

/* By ag_linear_kind; widths in units of C. */
static const struct {
    const char *name;
    size_t inputs;
    size_t outputs;
} s_linears[AG_LINEARS_PER_BLOCK] = {
    {"attn.c_attn", 1, 3},
    {"attn.c_proj", 1, 1},
    {"mlp.c_fc",    1, 4},
    {"mlp.c_proj",  4, 1},
};

size_t ag_layer_count(const ag_model_spec *model)
{
    return AG_LINEARS_PER_BLOCK * (size_t)model->n_layer + 1;
}

/* A struct by value and no table in memory: a name costs less to print than to keep for every model
 * of a grid. */
ag_layer ag_layer_at(const ag_model_spec *model, int64_t vocab_size, size_t index)
{
    size_t C = (size_t)model->n_embd;
    size_t block = index / AG_LINEARS_PER_BLOCK;
    ag_layer layer = {.block = block};
    if (block == (size_t)model->n_layer) {
        layer.kind = AG_LINEAR_LM_HEAD;
        layer.site = ag_stream_place(block, 0, 0);
        layer.inputs = C;
        layer.outputs = (size_t)vocab_size;
        snprintf(layer.name, sizeof layer.name, "lm_head");
        return layer;
    }
    size_t linear = index % AG_LINEARS_PER_BLOCK;
    layer.kind = (ag_linear_kind)linear;
    layer.inputs = s_linears[linear].inputs * C;
    layer.outputs = s_linears[linear].outputs * C;
    layer.site = ag_stream_place(block, linear, 0);
    snprintf(layer.name, sizeof layer.name, "transformer.h.%zu.%s", block, s_linears[linear].name);
    return layer;
}

/* Of the two uses of a weight fprop's counts: it is what the forward pass, and so the loss, sees.
 */
const ag_scheme *ag_layer_grid(const ag_run *run, size_t index)
{
    bool is_head = index + 1 == ag_layer_count(&run->model);
    bool is_embedding = is_head && run->model.tie_weights;
    const ag_scheme *scheme = &run->layers[index].scheme[AG_ROLE_WEIGHT][0];
    return scheme->quantised && !is_embedding ? scheme : NULL;
}
