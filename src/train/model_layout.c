/* The model's memory, from the run's shapes and the tensor table. N is the most tokens that a pass
 * of training or evaluation has.
 *
 *   grads | blocks: x, norm statistics, inputs, qkv, probs, hidden ... | head | scratch of backward
 */
#include "base/sizes.h"
#include "model.h"
#include "operand_sums.h"
#include "queries.h"
#include "run/optimizers.h"
#include "run/phases.h"
#include "site_layout.h"

/* What all linear layers of a model are built with. */
typedef struct builder {
    ag_model *model;
    const ag_run *whole; /* of which `run` is a phase: */
    const ag_run *run;
    size_t phase;
    ag_layout *layout;
    size_t N;
    size_t block;      /* at work */
    size_t widest;     /* inputs or outputs of a linear layer, and */
    size_t weights;    /* its weights, at most */
    size_t next_scale; /* those of the layers so far */
    size_t next_amax;
    float *grad_copy; /* shared by all layers */
    float *product;
} builder;

/* A parameter's first element in `base` (weights or gradients); NULL where the model has none. */
static float *parameter(const builder *b, float *base, ag_tensor_id id, size_t block)
{
    const ag_tensor *tensor = ag_tensor_find(&b->model->state->tensors, id, block);
    return tensor == NULL ? NULL : ag_layout_part(base, tensor->offset);
}

/* A norm over rows of a width, `rows` at most; its gains and biases where the model has them. */
static void lay_out_norm(builder *b, ag_norm *norm, ag_tensor_id gain, size_t rows)
{
    const ag_model_spec *spec = &b->run->model;
    ag_norm_kind kind = (ag_norm_kind)spec->norm;
    norm->on = true;
    norm->form.eps = (float)spec->norm_eps;
    norm->form.centred = kind == AG_NORM_LAYERNORM;
    norm->gain = norm->form.weight = parameter(b, b->model->state->weights, gain, b->block);
    norm->dweight = parameter(b, b->model->grads, gain, b->block);
    norm->mean = ag_layout_floats(b->layout, rows);
    norm->rstd = ag_layout_floats(b->layout, rows);
}

/* One of the stream, which may have a bias. */
static void lay_out_stream_norm(builder *b, ag_norm *norm, bool wanted, ag_tensor_id gain,
                                ag_tensor_id bias)
{
    if (!wanted || b->run->model.norm == AG_NORM_NONE)
        return;
    lay_out_norm(b, norm, gain, b->N);
    norm->form.bias = parameter(b, b->model->state->weights, bias, b->block);
    norm->dbias = parameter(b, b->model->grads, bias, b->block);
}

static void find_parameters(builder *b, ag_linear *linear)
{
    float *weights = b->model->state->weights;
    float *grads = b->model->grads;
    ag_linear_kind kind = linear->layer.kind;
    bool is_head = kind == AG_LINEAR_LM_HEAD;
    bool is_tied = is_head && b->run->model.tie_weights;
    size_t block = is_head ? 0 : linear->layer.block;
    ag_tensor_id weight = is_tied ? AG_T_WTE : ag_linear_tensors[kind][0];
    ag_tensor_id bias = ag_linear_tensors[kind][1];
    linear->weight = parameter(b, weights, weight, block);
    linear->dweight = parameter(b, grads, weight, block);
    linear->bias = parameter(b, weights, bias, block);
    linear->dbias = parameter(b, grads, bias, block);
}

/* The tensor that the operands of a role are made from, as its use sees it: each first use sums
 * over the columns, each second one over the rows. */
static ag_matrix operand_matrix(const builder *b, const ag_layer *layer, int role, int use)
{
    return (ag_matrix){
        .rows = role == AG_ROLE_WEIGHT ? layer->outputs : b->N,
        .cols = role == AG_ROLE_GRAD_OUTPUT ? layer->outputs : layer->inputs,
        .sum = use == 0 ? AG_SUM_COLS : AG_SUM_ROWS,
    };
}

/* --- codes */

static bool has_codes(const ag_layer_precision *precision, int role, int use)
{
    const ag_scheme *const schemes[AG_ROLES] = {precision->scheme[0], precision->scheme[1],
                                                precision->scheme[2]};
    return ag_use_has_codes(schemes, precision->accumulate, (ag_role)role, use);
}

/* Activations wait in wgrad's codes for the backward pass, and weights serve a whole step; the
 * others are read at once. */
static bool keeps_codes(int role, int use)
{
    return role == AG_ROLE_WEIGHT || (role == AG_ROLE_INPUT && use == 1);
}

static ag_codes_size codes_size(const ag_matrix *matrix, int use, const ag_scheme *scheme)
{
    return use == 0 ? ag_codes_size_of(scheme, matrix->rows, matrix->cols)
                    : ag_codes_size_of(scheme, matrix->cols, matrix->rows);
}

/* Of the uses that the operand serves: the first is along the sum, the second across. */
static void lay_out_codes(builder *b, ag_linear *linear, int role, int use,
                          const ag_layer_precision *precision)
{
    ag_operand *operand = &linear->operands[role][use];
    ag_matrix matrix = operand_matrix(b, &linear->layer, role, use);
    bool serves_both = linear->copies[role] == 1;
    /* diagnostics look at weights at any time, not only in a pass */
    operand->codes_alone = role != AG_ROLE_WEIGHT || b->run->observe.diagnostics == 0;
    if (use == 0 && precision->scheme[role][1].from_forward)
        operand->codes_alone = false; /* the second copy is made of its values */
    for (int of = 0; of < AG_USES; of++) {
        if (use >= linear->copies[role] || (of != use && !serves_both))
            continue;
        if (!has_codes(precision, role, of))
            operand->codes_alone = false;
        else if (keeps_codes(role, of))
            operand->codes[of] =
                ag_codes_lay_out(b->layout, codes_size(&matrix, of, operand->scheme));
        else
            operand->codes[of] = b->model->codes[of];
    }
}

/* Those that no layer keeps. */
static void lay_out_shared_codes(builder *b, int use)
{
    ag_codes_size most = {0, 0};
    for (size_t i = 0; i < AG_ROLES * ag_layer_count(&b->run->model); i++) {
        const ag_layer_precision *precision = &b->run->layers[i / AG_ROLES];
        int role = (int)(i % AG_ROLES);
        ag_layer layer = ag_layer_at(&b->run->model, b->run->facts.vocab_size, i / AG_ROLES);
        ag_matrix matrix = operand_matrix(b, &layer, role, use);
        if (keeps_codes(role, use) || !has_codes(precision, role, use))
            continue;
        ag_codes_size size = codes_size(&matrix, use, &precision->scheme[role][use]);
        most.words = ag_larger(most.words, size.words);
        most.units = ag_larger(most.units, size.units);
    }
    b->model->codes[use] = ag_codes_lay_out(b->layout, most);
}

/* --- linear layers */

static float static_scale_of(const builder *b, const ag_layer *layer, const ag_scheme *scheme)
{
    const size_t sizes[AG_STATIC_SIZES] = {
        [AG_STATIC_FAN_IN] = layer->inputs,
        [AG_STATIC_FAN_OUT] = layer->outputs,
        [AG_STATIC_TOKENS] = b->N,
    };
    return ag_static_scale(scheme, sizes[scheme->size]);
}

/* The product that an operand is made for. */
static uint32_t product_of(int role, int use)
{
    uint32_t product = 0;
    for (uint32_t i = 0; i < 2 * AG_LINEAR_PRODUCTS; i++) {
        const ag_operand_use *of = &ag_linear_operands[i / 2][i % 2];
        if ((int)of->role == role && of->use == use)
            product = i / 2;
    }
    return product;
}

static void lay_out_operand(builder *b, ag_linear *linear, int role, int use,
                            const ag_scheme *scheme)
{
    ag_train_state *state = b->model->state;
    ag_operand *operand = &linear->operands[role][use];
    ag_matrix matrix = operand_matrix(b, &linear->layer, role, use);
    *operand = (ag_operand){
        .k = b->model->k,
        .scheme = scheme,
        .bf16 = linear->bf16,
        .is_weight = role == AG_ROLE_WEIGHT,
        .layer = linear->layer.name,
        .role = ag_role_words[role],
        .sum = matrix.sum,
        .place = linear->layer.place + (uint32_t)role,
        .product = product_of(role, use),
        .static_scale = static_scale_of(b, &linear->layer, scheme),
        .use = (uint32_t)use,
        .history = ag_layout_part(state->amaxes, b->next_amax),
        .scales = &b->model->scales,
        .channels = scheme->channel != AG_CHANNEL_NONE ? ag_model_channels(b->model) : NULL,
    };
    if (state->scales != NULL)
        operand->scale = &state->scales[b->next_scale];
    b->next_scale++;
    b->next_amax += (size_t)scheme->history;
    bool differentiated = role != AG_ROLE_GRAD_OUTPUT && use == 0;
    if (differentiated && scheme->quantised && scheme->ste == AG_STE_CLIP)
        operand->clipped = ag_layout_bytes(b->layout, matrix.rows * matrix.cols);
    if (linear->has_accumulators && ag_scheme_has_scales_to_add(scheme)) {
        ag_groups groups = ag_groups_of(scheme, &matrix);
        operand->after = ag_layout_floats(b->layout, ag_groups_count(&groups));
    }
    if (ag_scheme_has_row_factors(scheme))
        operand->factors =
            ag_layout_floats(b->layout, matrix.sum == AG_SUM_COLS ? matrix.rows : matrix.cols);
}

static void lay_out_copies(builder *b, ag_linear *linear)
{
    const ag_layer *layer = &linear->layer;
    for (int use = 0; use < linear->copies[AG_ROLE_WEIGHT]; use++) {
        if (linear->bf16)
            linear->weight_copies[use] =
                ag_layout_floats(b->layout, layer->outputs * layer->inputs);
    }
    linear->input = ag_layout_floats(b->layout, b->N * layer->inputs);
    if (linear->copies[AG_ROLE_INPUT] > 1)
        linear->input_copy = ag_layout_floats(b->layout, b->N * layer->inputs);
    linear->grad_copy = b->grad_copy;
    linear->product = b->product;
    linear->room = b->model->room;
}

static void lay_out_linear(builder *b, ag_linear *linear, size_t index)
{
    const ag_layer_precision *precision = &b->run->layers[index];
    linear->layer = ag_layer_at(&b->run->model, b->run->facts.vocab_size, index);
    linear->k = b->model->k;
    linear->bf16 = b->run->compute == AG_COMPUTE_BF16;
    linear->T = b->model->T;
    linear->accumulate = precision->accumulate;
    linear->has_accumulators = !ag_accumulates_by_default(precision);
    find_parameters(b, linear);
    for (int role = 0; role < AG_ROLES; role++) {
        const ag_scheme *schemes = precision->scheme[role];
        linear->copies[role] =
            ag_layer_serves_both(b->whole, b->phase, index, (ag_role)role) ? 1 : AG_USES;
        for (int use = 0; use < AG_USES; use++) {
            lay_out_operand(b, linear, role, use, &schemes[use]);
            lay_out_codes(b, linear, role, use, precision);
        }
    }
    linear->operands[AG_ROLE_WEIGHT][0].is_fixed =
        ag_optimizer_of(b->run)->fixes_scale && ag_layer_grid(b->run, index) != NULL;
    lay_out_copies(b, linear);
}

static ag_linear *lay_out_kind(builder *b, ag_block *block, ag_linear_kind kind)
{
    ag_linear *linear = &block->linears[kind];
    lay_out_linear(b, linear, ag_layer_index(&b->run->model, kind, block->index));
    return linear;
}

/* The two norms of a branch, of which a model has one, both or none; the first comes before the
 * branch's layers. */
static void lay_out_branch(builder *b, ag_branch *branch, ag_norm_place unless, bool post)
{
    const ag_model_spec *spec = &b->run->model;
    bool is_attn = branch == &b->model->blocks[b->block].attn;
    bool wanted = spec->norm_place != (int64_t)unless;
    if (!post) {
        lay_out_stream_norm(b, &branch->ln, wanted, is_attn ? AG_T_LN_1_W : AG_T_LN_2_W,
                            is_attn ? AG_T_LN_1_B : AG_T_LN_2_B);
        return;
    }
    lay_out_stream_norm(b, &branch->ln_post, wanted, is_attn ? AG_T_LN_1_POST_W : AG_T_LN_2_POST_W,
                        is_attn ? AG_T_LN_1_POST_B : AG_T_LN_2_POST_B);
    if (branch->ln_post.on)
        branch->added = ag_layout_floats(b->layout, b->N * b->model->C);
}

static void lay_out_qk_norms(builder *b, ag_block *block)
{
    const ag_model *model = b->model;
    for (int part = 0; part < 2 && b->run->model.qk_norm != AG_QK_NORM_NONE; part++) {
        size_t heads = part == 0 ? model->H : model->K;
        size_t rows = b->run->model.qk_norm == AG_QK_NORM_FULL ? b->N : b->N * heads;
        lay_out_norm(b, &block->qk_norm[part], part == 0 ? AG_T_Q_NORM_W : AG_T_K_NORM_W, rows);
        block->raw[part] = ag_layout_floats(b->layout, b->N * heads * model->D);
    }
}

static void lay_out_attention(builder *b, ag_block *block)
{
    const ag_model *model = b->model;
    for (size_t i = 0; model->kinds[i] != AG_LINEAR_ATTN_C_PROJ; i++)
        lay_out_kind(b, block, model->kinds[i]);
    block->qkv = ag_layout_floats(b->layout, b->N * model->W);
    lay_out_qk_norms(b, block);
    block->probs = ag_layout_floats(b->layout, model->B * model->H * model->T * model->T);
    block->attn.projection = lay_out_kind(b, block, AG_LINEAR_ATTN_C_PROJ);
}

static void lay_out_mlp(builder *b, ag_block *block)
{
    const ag_model *model = b->model;
    bool is_split = ag_block_has(&b->run->model, AG_LINEAR_C_GATE);
    bool is_fused = ag_fuses_gate(&b->run->model);
    if (is_split)
        lay_out_kind(b, block, AG_LINEAR_C_GATE);
    if (is_split || is_fused)
        block->gate = ag_layout_floats(b->layout, b->N * model->F * (is_fused ? 2 : 1));
    lay_out_kind(b, block, AG_LINEAR_C_FC);
    block->hidden = is_fused ? ag_layout_part(block->gate, model->F)
                             : ag_layout_floats(b->layout, b->N * model->F);
    block->mlp.projection = lay_out_kind(b, block, AG_LINEAR_MLP_C_PROJ);
}

static void lay_out_block(builder *b, ag_block *block, size_t index)
{
    const ag_model *model = b->model;
    block->index = b->block = index;
    block->x = ag_layout_floats(b->layout, b->N * model->C);
    lay_out_branch(b, &block->attn, AG_NORM_RES_POST, false);
    lay_out_attention(b, block);
    lay_out_branch(b, &block->attn, AG_NORM_PRE, true);
    block->x_mid = ag_layout_floats(b->layout, b->N * model->C);
    lay_out_branch(b, &block->mlp, AG_NORM_RES_POST, false);
    lay_out_mlp(b, block);
    lay_out_branch(b, &block->mlp, AG_NORM_PRE, true);
}

static void lay_out_head(builder *b)
{
    ag_model *model = b->model;
    b->block = 0;
    model->x_end = ag_layout_floats(b->layout, b->N * model->C);
    for (size_t i = 0; i < model->L; i++)
        model->blocks[i].x_end = i + 1 < model->L ? model->blocks[i + 1].x : model->x_end;
    lay_out_stream_norm(b, &model->ln_f, b->run->model.final_norm, AG_T_LN_F_W, AG_T_LN_F_B);
    lay_out_linear(b, &model->lm_head, ag_layer_count(&b->run->model) - 1);
    model->logits = ag_layout_floats(b->layout, b->N * model->V);
    model->losses = ag_layout_floats(b->layout, b->N);
}

/* The most groups with a scale that an operand of the layer has. */
static size_t most_groups(const builder *b, size_t index)
{
    ag_layer layer = ag_layer_at(&b->run->model, b->run->facts.vocab_size, index);
    size_t most = 0;
    for (int i = 0; i < AG_ROLES * AG_USES; i++) {
        const ag_scheme *scheme = &b->run->layers[index].scheme[i / AG_USES][i % AG_USES];
        ag_matrix matrix = operand_matrix(b, &layer, i / AG_USES, i % AG_USES);
        ag_groups groups = ag_groups_of(scheme, &matrix);
        if (scheme->quantised && ag_scheme_has_groups(scheme))
            most = ag_larger(most, ag_groups_count(&groups));
    }
    return most;
}

/* Whether some layer's input takes its channels by another tensor. */
static bool has_channels(const builder *b)
{
    for (size_t i = 0; i < AG_USES * ag_layer_count(&b->run->model); i++) {
        const ag_layer_precision *precision = &b->run->layers[i / AG_USES];
        if (precision->scheme[AG_ROLE_INPUT][i % AG_USES].channel != AG_CHANNEL_NONE)
            return true;
    }
    return false;
}

/* What backward and the linear layers use and forget. */
static void lay_out_scratch(builder *b)
{
    ag_model *model = b->model;
    const ag_model_spec *spec = &b->run->model;
    ag_attention_shape shape = {
        .B = model->B, .T = model->T, .H = model->H, .K = model->K, .D = model->D};
    shape.cap = (float)spec->attn_softcap;
    shape.bf16 = b->run->compute == AG_COMPUTE_BF16;
    bool is_split = ag_block_has(spec, AG_LINEAR_C_GATE);
    bool shares = spec->qkv == AG_QKV_SPLIT || is_split;
    bool has_apart = spec->qkv == AG_QKV_SPLIT || spec->qk_norm != AG_QK_NORM_NONE;
    size_t queries = model->H * model->D;
    bool second_grad = false;
    size_t groups = 1;
    for (size_t i = 0; i < ag_layer_count(&b->run->model); i++) {
        second_grad |= !ag_layer_serves_both(b->whole, b->phase, i, AG_ROLE_GRAD_OUTPUT);
        groups = ag_larger(groups, most_groups(b, i));
    }
    model->n_groups = groups;
    model->scales.scale = ag_layout_floats(b->layout, groups);
    model->scales.after = ag_layout_floats(b->layout, groups);
    if (has_channels(b))
        model->channels = ag_layout_floats(b->layout, model->F * (ag_fuses_gate(spec) ? 2 : 1));
    b->product = ag_layout_floats(b->layout, b->weights);
    b->grad_copy = second_grad ? ag_layout_floats(b->layout, b->N * b->widest) : NULL;
    for (int use = 0; use < AG_USES; use++)
        lay_out_shared_codes(b, use);
    model->attention_scratch = ag_layout_floats(b->layout, ag_attention_scratch(&shape));
    model->dx = ag_layout_floats(b->layout, b->N * model->C);
    model->dbranch = ag_layout_floats(b->layout, b->N * model->C);
    model->dhidden = ag_layout_floats(b->layout, b->N * ag_larger(model->F, queries));
    model->dqkv = ag_layout_floats(b->layout, b->N * model->W);
    if (shares || spec->norm_place != AG_NORM_PRE)
        model->dshare = ag_layout_floats(b->layout, b->N * model->C);
    if (spec->mlp == AG_MLP_SWIGLU)
        model->dgate = ag_layout_floats(b->layout, b->N * model->F * (is_split ? 1 : 2));
    for (int i = 0; has_apart && i < 2; i++)
        model->apart[i] = ag_layout_floats(b->layout, b->N * queries);
}

/* Pairs of the first operand of a linear layer's product, activations or gradients: along their
 * rows and across. */
static void lay_out_room(builder *b)
{
    ag_model *model = b->model;
    size_t words = (b->N * b->widest + ag_larger(b->N, b->widest)) / 2 + 1;
    for (int i = 0; i < 2; i++)
        model->room[i] = ag_layout_bytes(b->layout, words * sizeof(uint32_t));
}

static void measure_layers(builder *b)
{
    for (size_t i = 0; i < ag_layer_count(&b->run->model); i++) {
        ag_layer layer = ag_layer_at(&b->run->model, b->run->facts.vocab_size, i);
        b->widest = ag_larger(b->widest, ag_larger(layer.inputs, layer.outputs));
        b->weights = ag_larger(b->weights, layer.inputs * layer.outputs);
    }
}

static void lay_out_turn(builder *b, size_t turned)
{
    ag_model *model = b->model;
    ag_rotation *turn = &model->turn;
    *turn = (ag_rotation){.T = model->T, .D = model->D, .half = turned / 2};
    float *cosines = ag_layout_floats(b->layout, model->T * turn->half);
    float *sines = ag_layout_floats(b->layout, model->T * turn->half);
    turn->cosines = cosines;
    turn->sines = sines;
    if (cosines != NULL && sines != NULL)
        ag_queries_angles(cosines, sines, turn, b->run->model.rope_theta);
}

size_t ag_model_sequences(const ag_run *run)
{
    return ag_larger((size_t)run->train.batch_size, (size_t)run->eval.batch);
}

static void set_sizes(ag_model *model, const ag_run *run)
{
    const ag_model_spec *spec = &run->model;
    ag_sizes sizes = ag_sizes_of(spec);
    model->spec = spec;
    model->B = ag_model_sequences(run);
    model->T = sizes.T;
    model->C = sizes.C;
    model->H = sizes.H;
    model->K = sizes.K;
    model->D = sizes.D;
    model->F = sizes.F;
    model->W = (sizes.H + 2 * sizes.K) * sizes.D;
    model->V = (size_t)run->facts.vocab_size;
    model->L = sizes.L;
    model->attn_scale = ag_spec_attn_scale(spec);
    model->logits_form =
        (ag_logits_form){(float)spec->logit_scale, (float)spec->logit_softcap, (float)spec->z_loss};
    model->has_logits_form =
        spec->logit_scale != 1.0 || spec->logit_softcap > 0.0 || spec->z_loss > 0.0;
    model->n_kinds = ag_block_linears(spec);
    for (size_t i = 0; i < model->n_kinds; i++)
        model->kinds[i] = ag_layer_at(spec, 1, i).kind;
}

ag_status ag_model_lay_out(ag_model *model, const ag_run *run, const ag_run_phase *of,
                           ag_train_state *state, ag_layout *layout)
{
    model->state = state;
    set_sizes(model, run);
    model->wte = ag_tensor_find(&state->tensors, AG_T_WTE, 0)->offset;
    model->blocks = ag_layout_table(layout, model->L * sizeof *model->blocks);
    if (model->blocks == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu blocks", model->L);
    model->grads = ag_layout_floats(layout, state->tensors.total);

    builder b = {.model = model,
                 .whole = of->run,
                 .run = run,
                 .phase = of->phase,
                 .layout = layout,
                 .N = model->B * model->T};
    model->wpe = parameter(&b, state->weights, AG_T_WPE, 0);
    model->dwpe = parameter(&b, model->grads, AG_T_WPE, 0);
    measure_layers(&b);
    lay_out_turn(&b, ag_sizes_of(&run->model).turned);
    lay_out_scratch(&b);
    for (size_t i = 0; i < model->L; i++)
        lay_out_block(&b, &model->blocks[i], i);
    lay_out_head(&b);
    lay_out_room(&b);
    return ag_sites_lay_out(model, run, of, (ag_scale_cursor){b.next_scale, b.next_amax}, layout);
}
