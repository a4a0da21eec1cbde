/* /formats and /routing: which format each role of each layer, and each tensor of each site, had,
 * what that format is, and how products with an accumulator of their own added up. Rules of an
 * experiment file say this in a few lines that must be interpreted; here it stands as it was
 * applied. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "gather.h"
#include "h5.h"
#include "results_write.h"
#include "run/layers.h"
#include "run/phases.h"
#include "run/run.h"
#include "run/sites.h"

/* Everything about a format that is needed to compute with it, so that a reader needs no table of
 * altgrad's. */
typedef struct format_row {
    char name[24];
    char kind[8];
    int64_t bits;
    int64_t exponent;
    int64_t mantissa;
    int64_t bias;
    double max;
    double min_normal;
    double min_subnormal;
} format_row;

#define FORMAT(member) offsetof(format_row, member), sizeof((format_row *)0)->member

static const ag_column s_format_columns[] = {
    {"name",          AG_CELL_TEXT, FORMAT(name)         },
    {"bits",          AG_CELL_I64,  FORMAT(bits)         },
    {"exponent",      AG_CELL_I64,  FORMAT(exponent)     },
    {"mantissa",      AG_CELL_I64,  FORMAT(mantissa)     },
    {"bias",          AG_CELL_I64,  FORMAT(bias)         },
    {"kind",          AG_CELL_TEXT, FORMAT(kind)         },
    {"max",           AG_CELL_F64,  FORMAT(max)          },
    {"min_normal",    AG_CELL_F64,  FORMAT(min_normal)   },
    {"min_subnormal", AG_CELL_F64,  FORMAT(min_subnormal)},
};

typedef struct routing_row {
    char id[AG_ID_LENGTH + 1];
    int64_t from; /* step */
    char layer[AG_LAYER_NAME_SIZE];
    char role[24];
    char format[24];
    char granularity[24];
    char scale[96];
    char rounding[64];
    char accumulator[AG_ACCUMULATOR_TEXT]; /* of a product's row, whose role is the product */
} routing_row;

#define ROUTING(member) offsetof(routing_row, member), sizeof((routing_row *)0)->member

static const ag_column s_routing_columns[] = {
    {"id",          AG_CELL_TEXT, ROUTING(id)         },
    {"layer",       AG_CELL_TEXT, ROUTING(layer)      },
    {"role",        AG_CELL_TEXT, ROUTING(role)       },
    {"format",      AG_CELL_TEXT, ROUTING(format)     },
    {"granularity", AG_CELL_TEXT, ROUTING(granularity)},
    {"scale",       AG_CELL_TEXT, ROUTING(scale)      },
    {"rounding",    AG_CELL_TEXT, ROUTING(rounding)   },
    {"accumulator", AG_CELL_TEXT, ROUTING(accumulator)},
    {"from",        AG_CELL_I64,  ROUTING(from)       },
};

enum { MOST_FORMATS = 4096 }; /* more than there are names with different meanings */

/* The two tables in the making. Sized beforehand: how many rows a grid has at most is known from
 * its models. */
typedef struct tables {
    format_row *formats;
    size_t n_formats;
    routing_row *rows;
    size_t n_rows;
    size_t most;  /* rows of the routing */
    int64_t from; /* the first step of the phase that is added */
} tables;

/* Once by its canonical name: two names that mean the same are one format. */
static void add_format(tables *t, const ag_format *format)
{
    for (size_t i = 0; i < t->n_formats; i++) {
        if (strcmp(t->formats[i].name, format->name) == 0)
            return;
    }
    if (t->n_formats == MOST_FORMATS)
        return;
    format_row *row = &t->formats[t->n_formats++];
    *row = (format_row){.bits = format->bits,
                        .exponent = format->exponent,
                        .mantissa = format->mantissa,
                        .bias = format->bias,
                        .max = (double)format->max,
                        .min_normal = (double)format->min_normal,
                        .min_subnormal = (double)format->min_subnormal};
    snprintf(row->name, sizeof row->name, "%s", format->name);
    snprintf(row->kind, sizeof row->kind, "%s", ag_format_kind_name(format));
}

/* "4/6 mae", "mse mse 1 1.5", "eden", after what stands there. */
static void add_selection(char *text, size_t size, const ag_scheme *scheme)
{
    size_t length = strlen(text);
    if (scheme->select == AG_SELECT_AMAX)
        return;
    bool has_errors = ag_scheme_adds_errors(scheme);
    snprintf(text + length, size - length, " %s%s%s", ag_select_words[scheme->select],
             has_errors ? " " : "", has_errors ? ag_error_words[scheme->error] : "");
    for (int i = 0; i < scheme->n_candidates; i++) {
        length = strlen(text);
        snprintf(text + length, size - length, " %g", (double)scheme->candidates[i]);
    }
}

/* "current", "delayed 16", "current 2^-1 pow2", "e8m0 rceil", "e4m3 tensor 4/6 mae": how the scale
 * is found and stored. Written as an experiment file would say it. */
static void describe_scale(char *text, size_t size, const ag_scheme *scheme)
{
    char history[16] = "";
    char margin[16] = "";
    char top[24] = "";
    if (scheme->history > 0)
        snprintf(history, sizeof history, " %d", scheme->history);
    if (scheme->margin != 0)
        snprintf(margin, sizeof margin, " 2^%d", -scheme->margin);
    if (scheme->top > 0.0f)
        snprintf(top, sizeof top, " top %g", (double)scheme->top);
    if (ag_scheme_scales(scheme) == AG_SCALE_E8M0)
        snprintf(text, size, "e8m0 %s", ag_e8m0_words[scheme->e8m0]);
    else if (scheme->scale >= AG_SCALE_ABSMAX)
        snprintf(text, size, "%s%s%s%s", ag_scale_words[scheme->scale],
                 scheme->outer != AG_OUTER_NONE ? " " : "",
                 scheme->outer != AG_OUTER_NONE ? ag_outer_words[scheme->outer] : "", top);
    else
        snprintf(text, size, "%s%s%s%s%s", ag_amax_words[scheme->amax], history, margin,
                 scheme->pow2 ? " pow2" : "", top);
    add_selection(text, size, scheme);
}

/* Blocks with their sides, which "block" alone leaves open; "tensor channel up". */
static void describe_granularity(char *text, size_t size, const ag_scheme *scheme)
{
    if (scheme->block_rows > 0)
        snprintf(text, size, "%s %dx%d", ag_granularity_words[scheme->granularity],
                 scheme->block_rows, scheme->block_cols);
    else if (scheme->channel != AG_CHANNEL_NONE)
        snprintf(text, size, "%s channel %s", ag_granularity_words[scheme->granularity],
                 ag_channel_words[scheme->channel]);
    else
        snprintf(text, size, "%s", ag_granularity_words[scheme->granularity]);
}

/* "nearest", "stochastic 16 half", "stochastic, hadamard". */
static void describe_rounding(char *text, size_t size, const ag_scheme *scheme)
{
    char bits[24] = "";
    char turn[32] = "";
    if (scheme->sr_bits > 0)
        snprintf(bits, sizeof bits, " %d %s", scheme->sr_bits, ag_sr_words[scheme->sr_variant]);
    if (scheme->hadamard > 0)
        snprintf(turn, sizeof turn, ", hadamard");
    if (scheme->hadamard > AG_LEAST_HADAMARD || scheme->signs == AG_SIGNS_STEP)
        snprintf(turn, sizeof turn, ", hadamard %d %s", scheme->hadamard,
                 ag_signs_words[scheme->signs]);
    snprintf(text, size, "%s%s%s%s", ag_rounding_words[scheme->rounding], bits, turn,
             scheme->from_forward ? ", from forward" : "");
}

/* A further row, of which that much is known. */
static routing_row *start_row(tables *t, const ag_run *run, const char *layer, const char *role)
{
    routing_row *row = &t->rows[t->n_rows++];
    memcpy(row->id, run->id, sizeof row->id);
    row->from = t->from;
    snprintf(row->layer, sizeof row->layer, "%s", layer);
    snprintf(row->role, sizeof row->role, "%s", role);
    return row;
}

/* "bf16" or "fp32" for what is not quantised: a reader groups by this column. */
static void add_row(tables *t, const ag_run *run, const char *layer, const char *role,
                    const ag_scheme *scheme)
{
    routing_row *row = start_row(t, run, layer, role);
    snprintf(row->format, sizeof row->format, "%s",
             run->compute == AG_COMPUTE_FP32 ? "fp32" : "bf16");
    if (scheme->from_forward)
        snprintf(row->rounding, sizeof row->rounding, "from forward");
    if (!scheme->quantised)
        return;
    snprintf(row->format, sizeof row->format, "%s", scheme->format.name);
    describe_granularity(row->granularity, sizeof row->granularity, scheme);
    describe_scale(row->scale, sizeof row->scale, scheme);
    describe_rounding(row->rounding, sizeof row->rounding, scheme);
    add_format(t, &scheme->format);
}

/* One row per product that does not add up in the default way. */
static void add_accumulators(tables *t, const ag_run *run, size_t index, const char *layer)
{
    for (size_t product = 0; product < AG_LINEAR_PRODUCTS; product++) {
        const ag_accumulator *accumulator = &run->layers[index].accumulate[product];
        if (accumulator->kind == AG_ACCUMULATE_SEGMENTS)
            continue;
        char text[AG_ACCUMULATOR_TEXT];
        ag_accumulator_describe(text, accumulator);
        routing_row *row = start_row(t, run, layer, ag_linear_product_words[product]);
        snprintf(row->format, sizeof row->format, "%s", accumulator->into.name);
        snprintf(row->accumulator, sizeof row->accumulator, "%s", text);
    }
}

/* One row per role; two, one per product, where its products differ. As `plan --layers` shows it,
 * and as counters are named. */
static void add_layer(tables *t, const ag_run *run, size_t index)
{
    ag_layer layer = ag_layer_at(&run->model, run->facts.vocab_size, index);
    for (size_t role = 0; role < AG_ROLES; role++) {
        const ag_scheme *uses = run->layers[index].scheme[role];
        if (ag_scheme_equal(&uses[0], &uses[1])) {
            add_row(t, run, layer.name, ag_role_words[role], &uses[0]);
            continue;
        }
        for (size_t use = 0; use < AG_USES; use++)
            add_row(t, run, layer.name, ag_use_words[role][use], &uses[use]);
    }
    add_accumulators(t, run, index, layer.name);
}

/* The same of a site, whose tensors stand in place of roles, but for those that stay as they are.
 */
static void add_site(tables *t, const ag_run *run, size_t index)
{
    ag_site site = ag_site_at(&run->model, index);
    if (!ag_site_is_on(&run->sites[index]))
        return;
    for (size_t i = 0; i < site.n_tensors; i++) {
        const ag_site_tensor *tensor = &site.tensors[i];
        const ag_scheme *uses = run->sites[index].scheme[tensor->role];
        bool alike = ag_scheme_equal(&uses[0], &uses[1]);
        for (size_t use = 0; use < (alike ? 1 : AG_USES); use++) {
            if (uses[use].quantised)
                add_row(t, run, site.name, alike ? tensor->name : tensor->uses[use], &uses[use]);
        }
    }
}

/* The format of what is not quantised belongs into the table, though no scheme names it. */
static void add_reference(tables *t, const char *name)
{
    ag_format format;
    if (ag_format_parse(&format, name) == AG_OK)
        add_format(t, &format);
}

/* All rows of a phase, of which most runs have one. */
static void add_phase(tables *t, const ag_run *run, size_t phase)
{
    ag_run one = ag_run_in_phase(run, phase);
    t->from = ag_phase_begin(run, phase);
    for (size_t layer = 0; layer < ag_layer_count(&run->model); layer++)
        add_layer(t, &one, layer);
    for (size_t site = 0; one.sites != NULL && site < ag_site_count(&run->model); site++)
        add_site(t, &one, site);
}

/* In the grid's order, so that the same grid always gives the same tables. */
static void fill(tables *t, const ag_gathered *g)
{
    for (size_t i = 0; i < g->grid.n_runs; i++) {
        const ag_run *run = &g->grid.runs[i];
        add_reference(t, run->compute == AG_COMPUTE_FP32 ? "fp32" : "bf16");
        for (size_t phase = 0; phase < ag_phase_count(run); phase++)
            add_phase(t, run, phase);
    }
}

static size_t most_rows(const ag_gathered *g)
{
    size_t most = 0;
    for (size_t i = 0; i < g->grid.n_runs; i++) {
        const ag_run *run = &g->grid.runs[i];
        most += ag_phase_count(run) *
                (ag_layer_count(&run->model) * (AG_ROLES * AG_USES + AG_LINEAR_PRODUCTS) +
                 ag_site_count(&run->model) * AG_SITE_TENSORS * AG_USES);
    }
    return most;
}

/* From the grid alone: also what has not been trained yet is told. */
void ag_results_write_descriptors(ag_h5 *h5, const ag_gathered *gathered)
{
    ag_arena arena;
    ag_arena_init_growing(&arena);
    tables t = {.most = most_rows(gathered)};
    t.formats = ag_arena_alloc(&arena, MOST_FORMATS * sizeof *t.formats);
    t.rows = ag_arena_alloc(&arena, (t.most + 1) * sizeof *t.rows);
    if (t.formats == NULL || t.rows == NULL) {
        h5->status = ag_fail(AG_ERR_SYSTEM, "%s: out of memory for its tables", h5->path);
    } else {
        fill(&t, gathered);
        const ag_table formats = {sizeof s_format_columns / sizeof s_format_columns[0],
                                  s_format_columns, sizeof *t.formats, t.n_formats, t.formats};
        const ag_table routing = {sizeof s_routing_columns / sizeof s_routing_columns[0],
                                  s_routing_columns, sizeof *t.rows, t.n_rows, t.rows};
        ag_h5_write_table(h5, h5->id, "formats", &formats);
        ag_h5_write_table(h5, h5->id, "routing", &routing);
    }
    ag_arena_deinit(&arena);
}
