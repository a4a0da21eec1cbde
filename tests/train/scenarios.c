#include "scenarios.h"

#include "numerics/recipe.h"

static ag_scheme scaled(const char *name, ag_amax_mode amax)
{
    ag_scheme scheme = tiny_scheme(name);
    scheme.amax = amax;
    scheme.history = 3;
    return scheme;
}

static void plain(tiny *t)
{
    (void)t;
}

static void delayed(tiny *t)
{
    tiny_quantise_all(t, scaled("e4m3", AG_AMAX_DELAYED));
}

static void windowed(tiny *t)
{
    tiny_quantise_all(t, scaled("e4m3", AG_AMAX_WINDOWED));
}

void scenario_stochastic(tiny *t)
{
    ag_scheme scheme = scaled("e3m2", AG_AMAX_CURRENT);
    scheme.rounding = AG_ROUND_STOCHASTIC;
    tiny_quantise_all(t, scheme);
}

/* Stochastic rounding, the Hadamard transform and scales of groups together. */
static void nvfp4(tiny *t)
{
    for (int i = 0; i < TINY_LAYERS; i++)
        assert_ok(ag_recipe_parse(&t->layers[i], "nvfp4"));
}

static void mxfp4(tiny *t)
{
    for (int i = 0; i < TINY_LAYERS; i++)
        assert_ok(ag_recipe_parse(&t->layers[i], "mxfp4"));
    t->run.train.grad_accum = 2;
}

static void dropout(tiny *t)
{
    t->run.model.dropout = 0.2;
    t->run.train.data_order = AG_ORDER_SEQUENTIAL;
}

static void accumulating(tiny *t)
{
    windowed(t);
    t->run.train.grad_accum = 3;
    t->run.output.weights = AG_WEIGHTS_INITIAL_FINAL;
}

/* Scales that lag behind and a format with NaN beyond its range: about every other step is skipped,
 * so that steps and updates differ. */
void scenario_skipping(tiny *t)
{
    ag_scheme scheme = scaled("e4m3", AG_AMAX_DELAYED);
    scheme.history = 1;
    scheme.overflow = AG_OVERFLOW_SPECIAL;
    tiny_quantise(t, AG_ROLE_WEIGHT, scheme);
    t->run.stop.on_nonfinite = AG_ON_NONFINITE_SKIP;
}

void scenario_diverging(tiny *t)
{
    t->run.optimizer.lr = 5.0;
    t->run.optimizer.grad_clip = 0.0;
    t->run.stop.loss_ratio = 1.2;
}

void scenario_everything(tiny *t)
{
    ag_scheme scheme = scaled("e4m3", AG_AMAX_DELAYED);
    scheme.rounding = AG_ROUND_STOCHASTIC;
    tiny_quantise_all(t, scheme);
    for (int i = 0; i < TINY_LAYERS; i++)
        t->layers[i].scheme[AG_ROLE_GRAD_OUTPUT][1] = tiny_scheme("e5m2");
    t->run.train.grad_accum = 2;
    t->run.model.dropout = 0.2;
}

static void sgd(tiny *t)
{
    t->run.optimizer.type = AG_OPTIMIZER_SGD;
}

static void manifold(tiny *t)
{
    delayed(t);
    t->run.optimizer.type = AG_OPTIMIZER_MANIFOLD_ADAMW;
}

/* Random words of the optimizer, beside those of quantisation; a scale that no step sets again. */
static void grid(tiny *t)
{
    scenario_everything(t);
    t->run.optimizer.type = AG_OPTIMIZER_GRID;
    t->run.optimizer.lr = 0.3;
}

static void lion(tiny *t)
{
    delayed(t);
    t->run.optimizer.type = AG_OPTIMIZER_LION;
}

/* With a rate of its own for what AdamW moves, and stored moments of both. */
static void muon(tiny *t)
{
    ag_scheme scheme = scaled("e5m2", AG_AMAX_DELAYED);
    delayed(t);
    t->run.optimizer.type = AG_OPTIMIZER_MUON;
    t->run.optimizer.adamw_lr = 3e-3;
    tiny_quantise_sites(t, AG_SITE_OPT_M, scheme);
}

static void muon_bf16(tiny *t)
{
    t->run.optimizer.type = AG_OPTIMIZER_MUON;
    t->run.optimizer.muon_ns = AG_MUON_NS_BF16;
    t->run.optimizer.muon_nesterov = false;
    t->run.model.qkv = AG_QKV_SPLIT;
}

/* Weights without a master, beside layers that quantise them again. */
static void stored(tiny *t)
{
    delayed(t);
    tiny_quantise_sites(t, AG_SITE_OPT_W, ag_scheme_bf16());
    for (int i = 0; i < TINY_SITES; i++)
        t->sites[i].scheme[AG_ROLE_WEIGHT][0].rounding = AG_ROUND_STOCHASTIC;
}

static void stored_kahan(tiny *t)
{
    tiny_quantise_sites(t, AG_SITE_OPT_W, scaled("e4m3", AG_AMAX_CURRENT));
    t->run.optimizer.store_error = AG_STORE_ERROR_KAHAN;
}

static void stored_eco(tiny *t)
{
    tiny_quantise_sites(t, AG_SITE_OPT_W, scaled("e4m3", AG_AMAX_CURRENT));
    tiny_quantise_sites(t, AG_SITE_OPT_M, scaled("e5m2", AG_AMAX_CURRENT));
    t->run.optimizer.store_error = AG_STORE_ERROR_ECO;
}

/* Every tensor beyond the layers, some with a history, all stochastic. */
static void sites(tiny *t)
{
    ag_scheme scheme = scaled("e5m2", AG_AMAX_DELAYED);
    scheme.rounding = AG_ROUND_STOCHASTIC;
    for (int kind = 0; kind < AG_SITE_KINDS; kind++)
        tiny_quantise_sites(t, (ag_site_kind)kind, scheme);
    scheme.amax = AG_AMAX_CURRENT;
    scheme.history = 0;
    tiny_quantise_sites(t, AG_SITE_WGRAD, scheme);
    t->run.train.grad_accum = 2;
    t->run.model.dropout = 0.2;
}

/* With every diagnostic: their rows, and what they remember between them. */
void scenario_observed(tiny *t)
{
    scenario_everything(t);
    t->run.observe = (ag_observe_spec){.quant_every = 2, .diagnostics = ALL_DIAGNOSTICS};
}

static void observed_sites(tiny *t)
{
    sites(t);
    t->run.observe = (ag_observe_spec){.quant_every = 3, .diagnostics = ALL_DIAGNOSTICS};
}

void scenario_observed_skipping(tiny *t)
{
    scenario_skipping(t);
    t->run.observe = (ag_observe_spec){.quant_every = 4, .diagnostics = ALL_DIAGNOSTICS};
}

/* Three phases: gradients without a scheme, then with one; weights and inputs with one history in
 * both; sites in the first two, in the second with other schemes; at last BF16. */
void scenario_phases(tiny *t)
{
    ag_scheme scheme = scaled("e4m3", AG_AMAX_DELAYED);
    ag_scheme site = scaled("e5m2", AG_AMAX_DELAYED);
    site.rounding = AG_ROUND_STOCHASTIC;
    tiny_quantise_all(t, scheme);
    tiny_quantise_sites(t, AG_SITE_QK, scheme);
    tiny_quantise_sites(t, AG_SITE_OPT_M, site);
    tiny_phase(t, 2);
    memset(t->layers, 0, sizeof t->layers);
    tiny_phase(t, 5);
    tiny_quantise(t, AG_ROLE_WEIGHT, scheme);
    tiny_quantise(t, AG_ROLE_INPUT, scheme);
    tiny_quantise_sites(t, AG_SITE_QK, site);
    tiny_quantise_sites(t, AG_SITE_OPT_M, site);
    t->run.observe = (ag_observe_spec){.quant_every = 2, .diagnostics = ALL_DIAGNOSTICS};
}

static ag_scheme scheme_of(const char *name)
{
    ag_scheme scheme;
    assert_ok(ag_scheme_parse(&scheme, name));
    return scheme;
}

/* Blocks of every way to store scales and to choose them, random bits by use and step. */
static void chosen_blocks(tiny *t)
{
    ag_scheme weight = scheme_of("int4/1x4/ue5m3+t");
    ag_scheme input = scheme_of("e4m3/2x4/e8m0even/stochastic");
    ag_scheme grad = scheme_of("e2m1/nv/amax/stochastic");
    weight.select = AG_SELECT_MSE;
    weight.n_candidates = 2;
    weight.candidates[0] = 1.0f;
    weight.candidates[1] = 0.75f;
    input.sr_bits = 6;
    input.sr_variant = AG_SR_HALF;
    grad.select = AG_SELECT_FOUR_SIX;
    tiny_quantise(t, AG_ROLE_WEIGHT, weight);
    tiny_quantise(t, AG_ROLE_INPUT, input);
    tiny_quantise(t, AG_ROLE_GRAD_OUTPUT, grad);
}

/* Signs and scales that are drawn by step; gradients of the weights of the forward's copy. */
static void eden(tiny *t)
{
    ag_scheme scheme = scheme_of("e2m1/nv/amax/nearest/hadamard16");
    scheme.select = AG_SELECT_EDEN;
    scheme.signs = AG_SIGNS_STEP;
    t->run.model.n_embd = 16;
    tiny_quantise_all(t, scheme);
    for (int i = 0; i < TINY_LAYERS; i++)
        t->layers[i].scheme[AG_ROLE_WEIGHT][1].from_forward = true;
}

static void quest(tiny *t)
{
    ag_scheme scheme = scheme_of("e2m1/mx/e8m0rceil/nearest/hadamard32");
    scheme.select = AG_SELECT_QUEST;
    scheme.ste = AG_STE_CLIP;
    t->run.model.n_embd = 32;
    for (int i = 0; i < TINY_LAYERS; i++) {
        t->layers[i].scheme[AG_ROLE_WEIGHT][0] = scheme;
        t->layers[i].scheme[AG_ROLE_INPUT][0] = scheme;
    }
}

/* A constant scale, and weights that decay by the schedule alone. */
static void static_scales(tiny *t)
{
    ag_scheme scheme = scaled("e4m3", AG_AMAX_NONE);
    scheme.history = 0;
    scheme.constant = 2.0f;
    scheme.rule = AG_STATIC_TIMES;
    scheme.size = AG_STATIC_FAN_IN;
    scheme.rounding = AG_ROUND_STOCHASTIC;
    tiny_quantise_all(t, scheme);
    t->run.optimizer.independent_decay = true;
    t->run.optimizer.weight_decay = 0.01;
}

/* A table with a history of amaxes, stochastic rounding to few bits, and moments in another. */
static void code_tables(tiny *t)
{
    ag_scheme scheme = scheme_of("nf4/tensor/delayed/stochastic");
    scheme.history = 3;
    scheme.sr_bits = 9;
    tiny_quantise_all(t, scheme);
    tiny_quantise_sites(t, AG_SITE_OPT_M, scheme_of("dynamic8/1x8/absmax"));
}

/* Channels scaled by what a gate multiplies, before a scale with a history; counted. */
static void channels(tiny *t)
{
    ag_scheme scheme = scaled("e4m3", AG_AMAX_DELAYED);
    scheme.rounding = AG_ROUND_STOCHASTIC;
    scheme.channel = AG_CHANNEL_UP;
    t->run.model.mlp = AG_MLP_SWIGLU;
    t->run.train.grad_accum = 2;
    for (size_t block = 0; block < 2; block++) {
        size_t at = ag_layer_index(&t->run.model, AG_LINEAR_MLP_C_PROJ, block);
        t->layers[at].scheme[AG_ROLE_INPUT][0] = t->layers[at].scheme[AG_ROLE_INPUT][1] = scheme;
    }
    t->run.observe = (ag_observe_spec){.quant_every = 2, .diagnostics = ALL_DIAGNOSTICS};
}

/* Histories and stored moments go on, the gradients of ranks do not. */
static void ranks(tiny *t)
{
    sites(t);
    t->run.ranks = (ag_ranks_spec){3, AG_REDUCE_RING, "e5m2"};
    t->run.train.grad_accum = 2;
    t->run.observe = (ag_observe_spec){.quant_every = 3, .diagnostics = ALL_DIAGNOSTICS};
}

scenario *const scenarios[SCENARIOS] = {
    plain,
    delayed,
    windowed,
    scenario_stochastic,
    nvfp4,
    mxfp4,
    dropout,
    accumulating,
    scenario_skipping,
    scenario_diverging,
    scenario_everything,
    sgd,
    manifold,
    grid,
    lion,
    muon,
    muon_bf16,
    stored,
    stored_kahan,
    stored_eco,
    sites,
    ranks,
    code_tables,
    chosen_blocks,
    eden,
    quest,
    static_scales,
    channels,
    scenario_observed,
    observed_sites,
    scenario_observed_skipping,
    scenario_phases,
};

void scenario_make(tiny *t, scenario *set_up)
{
    tiny_make(t);
    t->run.train.steps = 7;
    t->run.eval.every = 3;
    t->run.output.states = (ag_step_list){
        2, {2, 5}
    };
    snprintf(t->run.id, sizeof t->run.id, "0123456789ab");
    set_up(t);
}
