#include "run/model_spec.h"

#include <math.h>
#include <string.h>

/* Llama's rule for swiglu, whose three matrices then have about as many weights as two of 4C. */
static int64_t mlp_rule(const ag_model_spec *model)
{
    int64_t m = model->mlp_multiple_of > 0 ? model->mlp_multiple_of : 1;
    if (model->mlp != AG_MLP_SWIGLU)
        return 4 * model->n_embd;
    return (8 * model->n_embd / 3 + m - 1) / m * m;
}

static int64_t head_rule(const ag_model_spec *model)
{
    return model->n_head > 0 ? model->n_embd / model->n_head : 0;
}

static int64_t turned(const ag_model_spec *model, int64_t D)
{
    int64_t pairs = (int64_t)floor(model->rope_fraction * (double)D / 2);
    return model->position == AG_POSITION_ROPE ? 2 * pairs : 0;
}

bool ag_fuses_gate(const ag_model_spec *model)
{
    return model->mlp == AG_MLP_SWIGLU && model->gate_up == AG_GATE_UP_FUSED;
}

ag_sizes ag_sizes_of(const ag_model_spec *model)
{
    int64_t D = model->head_dim > 0 ? model->head_dim : head_rule(model);
    size_t F = (size_t)(model->mlp_hidden > 0 ? model->mlp_hidden : mlp_rule(model));
    return (ag_sizes){
        .L = (size_t)model->n_layer,
        .T = (size_t)model->block_size,
        .C = (size_t)model->n_embd,
        .H = (size_t)model->n_head,
        .K = (size_t)(model->n_kv_head > 0 ? model->n_kv_head : model->n_head),
        .D = (size_t)D,
        .F = F,
        .fc = ag_fuses_gate(model) ? 2 * F : F,
        .turned = (size_t)turned(model, D),
    };
}

static bool same_sizes(const ag_model_spec *a, const ag_model_spec *b)
{
    ag_sizes x = ag_sizes_of(a);
    ag_sizes y = ag_sizes_of(b);
    return x.L == y.L && x.T == y.T && x.C == y.C && x.H == y.H && x.K == y.K && x.D == y.D &&
           x.F == y.F && x.fc == y.fc && x.turned == y.turned;
}

static bool same_norms(const ag_model_spec *a, const ag_model_spec *b)
{
    return a->norm == b->norm && a->norm_affine == b->norm_affine &&
           a->norm_place == b->norm_place && a->final_norm == b->final_norm &&
           a->qk_norm == b->qk_norm && a->qk_gain == b->qk_gain;
}

bool ag_spec_same_shape(const ag_model_spec *a, const ag_model_spec *b)
{
    return same_sizes(a, b) && same_norms(a, b) && a->bias == b->bias &&
           a->tie_weights == b->tie_weights && a->position == b->position && a->mlp == b->mlp &&
           a->qkv == b->qkv && (a->attn_softcap > 0) == (b->attn_softcap > 0);
}

static float plain_scale(const ag_model_spec *model)
{
    return 1 / sqrtf((float)ag_sizes_of(model).D);
}

/* mup's scores grow with the head where queries and keys agree, hence 1 / D; as the plain scale in
 * the model that was tuned. 0: the plain one. */
static double attn_scale(const ag_model_spec *model)
{
    double D = (double)ag_sizes_of(model).D;
    double base = (double)model->base_head_dim;
    bool is_mup = model->param == AG_PARAMETRISATION_MUP && base > 0 && base != D;
    return model->attn_scale > 0 || !is_mup ? model->attn_scale : sqrt(base) / D;
}

float ag_spec_attn_scale(const ag_model_spec *model)
{
    double scale = attn_scale(model);
    return scale > 0 ? (float)scale : plain_scale(model);
}

/* A model as wide as its base is none of mup's; what is left of it is the scale of its scores. */
static void resolve_parametrisation(ag_model_spec *model)
{
    if (model->base_width == model->n_embd)
        model->base_width = 0;
    if (model->param == AG_PARAMETRISATION_MUP && model->base_width == 0)
        model->param = AG_PARAMETRISATION_STANDARD;
    model->base_head_dim = 0;
}

void ag_spec_resolve(ag_model_spec *model)
{
    ag_sizes sizes = ag_sizes_of(model);
    bool is_rule = model->mlp != AG_MLP_SWIGLU && sizes.F == 4 * sizes.C;
    model->attn_scale = attn_scale(model);
    if ((float)model->attn_scale == plain_scale(model))
        model->attn_scale = 0;
    resolve_parametrisation(model);
    model->mlp_hidden = is_rule ? 0 : (int64_t)sizes.F;
    if (model->n_kv_head == model->n_head)
        model->n_kv_head = 0;
    if (model->head_dim * model->n_head == model->n_embd)
        model->head_dim = 0;
}

static ag_status check_heads(const ag_model_spec *model)
{
    if (model->head_dim == 0 && model->n_embd % model->n_head != 0)
        return ag_fail(AG_ERR_INPUT,
                       "model.n_embd: %lld channels do not divide among %lld heads (model.n_head)",
                       (long long)model->n_embd, (long long)model->n_head);
    if (model->n_kv_head > 0 && model->n_head % model->n_kv_head != 0)
        return ag_fail(AG_ERR_INPUT,
                       "model.n_kv_head: %lld heads (model.n_head) do not share %lld of keys and "
                       "values evenly; give a divisor of n_head, or 0 for as many",
                       (long long)model->n_head, (long long)model->n_kv_head);
    return AG_OK;
}

static ag_status check_position(const ag_model_spec *model)
{
    ag_sizes sizes = ag_sizes_of(model);
    if (model->position != AG_POSITION_ROPE)
        return AG_OK;
    if (sizes.D % 2 != 0)
        return ag_fail(AG_ERR_INPUT,
                       "model.position: rope turns pairs of channels, but a head has %zu "
                       "(%s); give an even model.head_dim",
                       sizes.D, model->head_dim > 0 ? "model.head_dim" : "n_embd / n_head");
    if (sizes.turned == 0)
        return ag_fail(AG_ERR_INPUT,
                       "model.rope_fraction: %g of the %zu channels of a head is less than one "
                       "pair, so nothing turns; give a larger one, or position: none",
                       model->rope_fraction, sizes.D);
    return AG_OK;
}

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static ag_status check_init(const ag_model_spec *model)
{
    if (model->init_run[0] != '\0' && model->init_file[0] == '\0')
        return ag_fail(AG_ERR_INPUT,
                       "model.init.run: name the results file that holds run '%.60s' in "
                       "model.init.file",
                       model->init_run);
    if (is_set(model->init_where) && model->init_file[0] == '\0')
        return ag_fail(AG_ERR_INPUT, "model.init.where: name the results file whose run it labels "
                                     "in model.init.file");
    if (is_set(model->init_where) && model->init_run[0] != '\0')
        return ag_fail(AG_ERR_INPUT,
                       "model.init.where: model.init.run names a run of the file too, '%.60s'; "
                       "leave one of them out",
                       model->init_run);
    return AG_OK;
}

ag_status ag_spec_check(const ag_model_spec *model)
{
    AG_TRY(check_heads(model));
    AG_TRY(check_position(model));
    return check_init(model);
}
