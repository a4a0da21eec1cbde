/* Times each kernel on the shapes of a 4-layer, 128-channel model (12 sequences of 64 tokens, 65
 * symbols) and prints the medians of reference and fast version side by side. Run by hand. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "kernels/kernels.h"
#include "numerics/code_table.h"
#include "numerics/format.h"

enum {
    B = 12,
    T = 64,
    N = B * T,
    C = 128,
    H = 4,
    V = 65,
    QKV = 3 * C,
    WIDE = 4 * C,
    BIG = N * WIDE
};
enum { P = B * H * T * T, WEIGHTS = 2 * BIG, ROOM = 2 * BIG, ROWS = N * C, REPEATS = 15 };

typedef struct bench {
    const ag_kernels *k;
    float *x, *y, *z, *w, *p, *scratch;
    int32_t *tokens;
    ag_format format;
    ag_scheme scheme;
} bench;

typedef void work(const bench *b);

static void amax(const bench *b)
{
    b->k->amax(b->x, BIG);
}

static void round_bf16(const bench *b)
{
    b->k->round_bf16(b->y, b->x, BIG);
}

static void quantize(const bench *b)
{
    b->k->quantize(b->y, b->x, BIG, &b->format, 100, AG_OVERFLOW_SATURATE);
}

/* To the values of code tables: few; many of which a bucket has one; many in one bucket. */
static void quantize_to(const bench *b, const char *name, bool stochastic)
{
    const ag_rounding_site where = {.key = 1};
    ag_format format;
    if (ag_element_parse(&format, name) != AG_OK)
        exit(1);
    if (stochastic)
        b->k->quantize_stochastic(b->y, b->x, BIG, &format, 1, AG_OVERFLOW_SATURATE, &where, 0);
    else
        b->k->quantize(b->y, b->x, BIG, &format, 1, AG_OVERFLOW_SATURATE);
}

#define TABLE_BENCH(name)                                                                          \
    static void name(const bench *b)                                                               \
    {                                                                                              \
        quantize_to(b, #name, false);                                                              \
    }                                                                                              \
    static void name##_stochastic(const bench *b)                                                  \
    {                                                                                              \
        quantize_to(b, #name, true);                                                               \
    }
TABLE_BENCH(nf4)
TABLE_BENCH(posit8_1)
TABLE_BENCH(dynamic8)
TABLE_BENCH(crowded_16)
TABLE_BENCH(crowded_200)

/* Numbers of which most lie so close that no bucket tells them apart. */
static bool define_crowded(const char *name, int count)
{
    const ag_code_table *table;
    ag_table_text text = {.n_codes = count};
    for (int i = 0; i < count; i++)
        text.value[i] = i % 4 == 0 ? (float)i / 64 - 1 : text.value[i - 1] + 0x1p-18f;
    return ag_element_table(&table, &text) == AG_OK && ag_element_define(name, table) == AG_OK;
}

static void quantize_stochastic(const bench *b)
{
    ag_rounding_site where = {.key = 1};
    b->k->quantize_stochastic(b->y, b->x, BIG, &b->format, 100, AG_OVERFLOW_SATURATE, &where, 0);
}

/* The input of a product as its recipe's scheme has it: forward, and for wgrad over the tokens. */
static void operand(const bench *b, ag_sum sum)
{
    const ag_rounding_site where = {.key = 1};
    const ag_matrix matrix = {.rows = N, .cols = WIDE, .sum = sum};
    ag_scales scales = {.scale = b->z, .after = b->z + BIG};
    const ag_turn turn = b->scheme.hadamard > 0 ? ag_turn_of(&b->scheme, &where) : (ag_turn){0};
    if (b->scheme.hadamard > 0)
        b->k->hadamard(b->y, b->x, N, WIDE, sum, &turn);
    const float *x = b->scheme.hadamard > 0 ? b->y : b->x;
    ag_groups groups = ag_matrix_scale(b->k, &scales, x, &matrix, &b->scheme, &where);
    b->k->quantize_groups(b->y, x, &groups, &scales, &b->scheme, &where, 0);
}

static void operand_along(const bench *b)
{
    operand(b, AG_SUM_COLS);
}

static void operand_across(const bench *b)
{
    operand(b, AG_SUM_ROWS);
}

static void epilogue(const bench *b)
{
    b->k->epilogue(b->y, NULL, N, WIDE, (ag_factor){.all = 0.999f}, (ag_factor){.all = 1.001f},
                   true);
}

static void accumulate(const bench *b)
{
    b->k->accumulate(b->y, b->x, N, WIDE, (ag_factor){.all = 0.999f}, (ag_factor){.all = 1.001f});
}

static void embedding_forward(const bench *b)
{
    b->k->embedding_forward(b->y, b->tokens, b->w, b->x, B, T, C);
}

static void embedding_backward(const bench *b)
{
    b->k->embedding_backward(b->y, b->z, b->x, b->tokens, B, T, C);
}

static void layernorm_forward(const bench *b)
{
    ag_norm_form form = {b->w, b->w, 1e-5f, true};
    b->k->norm_forward(b->y, b->z, b->z + N, b->x, &form, N, C);
}

static void layernorm_backward(const bench *b)
{
    ag_norm_grads grads = {b->y, b->scratch, NULL};
    ag_norm_form form = {b->w, b->w, 1e-5f, true};
    b->k->norm_backward(&grads, b->x + ROWS, b->x, &form, b->w, b->w + N, N, C);
}

static void bias_backward(const bench *b)
{
    b->k->bias_backward(b->y, b->x, N, WIDE);
}

static void gelu_forward(const bench *b)
{
    b->k->gelu_forward(b->y, b->x, BIG, false);
}

static void gelu_backward(const bench *b)
{
    b->k->gelu_backward(b->y, b->w, b->x, BIG, false);
}

static void gelu_tanh_forward(const bench *b)
{
    b->k->gelu_forward(b->y, b->x, BIG, true);
}

static void swiglu_forward(const bench *b)
{
    const ag_gated in = {b->x, b->w, WIDE};
    b->k->swiglu_forward(b->y, &in, BIG / 2 / WIDE, WIDE);
}

static void swiglu_backward(const bench *b)
{
    const ag_gated in = {b->x, b->w, WIDE};
    const ag_gated d = {b->y, b->y + BIG / 2, WIDE};
    b->k->swiglu_backward(&d, d.up, &in, BIG / 2 / WIDE, WIDE);
}

static void rotate(const bench *b)
{
    ag_rotation turn = {.cosines = b->w, .sines = b->w, .T = T, .D = C / H, .half = C / H / 2};
    b->k->rotate((ag_heads){b->y, C}, (ag_heads){b->x, C}, N, H, &turn);
}

static void rotate_in_place(const bench *b)
{
    ag_rotation turn = {.cosines = b->w, .sines = b->w, .T = T, .D = C / H, .half = C / H / 2};
    b->k->rotate((ag_heads){b->y, C}, (ag_heads){b->y, C}, N, H, &turn);
}

static void attention_forward(const bench *b)
{
    ag_attention_shape shape = {.B = B, .T = T, .H = H, .K = H, .D = C / H, .scale = 0.125f};
    b->k->attention_forward(b->y, b->p, b->scratch, b->x, &shape);
}

static void attention_backward(const bench *b)
{
    ag_attention_shape shape = {.B = B, .T = T, .H = H, .K = H, .D = C / H, .scale = 0.125f};
    b->k->attention_backward(b->y, b->scratch, b->w, b->x, b->p, &shape);
}

static void attention_dropout_forward(const bench *b)
{
    ag_attention_shape shape = {
        .B = B, .T = T, .H = H, .K = H, .D = C / H, .scale = 0.125f, .dropout = 0.1f};
    b->k->attention_forward(b->y, b->p, b->scratch, b->x, &shape);
}

static void cross_entropy(const bench *b)
{
    b->k->cross_entropy(b->y, b->z, b->tokens, N, V, 1);
}

static void dropout(const bench *b)
{
    b->k->dropout(b->y, BIG, 0.001f, 1, 2, 3, 4);
}

static void add(const bench *b)
{
    b->k->add(b->y, b->x, BIG);
}

static void duplicate(const bench *b)
{
    b->k->duplicate(b->y, b->x, BIG);
}

static void sum_squares(const bench *b)
{
    b->k->sum_squares(b->w, WEIGHTS);
}

static void adamw(const bench *b)
{
    ag_adamw_step step = {.lr = 1e-6f,
                          .beta1 = 0.9f,
                          .beta2 = 0.99f,
                          .fresh1 = 0.1f,
                          .fresh2 = 0.01f,
                          .eps = 1e-8f,
                          .correction1 = 0.1f,
                          .correction2 = 0.01f,
                          .grad_scale = 1};
    b->k->adamw(b->w, b->z, b->p, b->x, WEIGHTS, &step);
}

static void manifold_adamw(const bench *b)
{
    ag_adamw_step step = {.lr = 1e-6f, .eps = 1e-8f, .correction1 = 1, .correction2 = 1};
    ag_spacing spacing = {.scale = 100, .lowest = -6, .highest = 8, .unit = 0x1p-8f};
    b->k->manifold_adamw(b->w, b->z, b->p, b->x, WEIGHTS, &step, &spacing);
}

static void sgd(const bench *b)
{
    ag_sgd_step step = {.lr = 1e-6f, .momentum = 0.9f, .grad_scale = 1};
    b->k->sgd(b->w, b->z, b->x, WEIGHTS, &step);
}

static void lion(const bench *b)
{
    ag_lion_step step = {.lr = 1e-6f, .beta1 = 0.9f, .fresh1 = 0.1f, .grad_scale = 1};
    b->k->lion(b->w, b->z, b->x, WEIGHTS, &step);
}

static void momentum(const bench *b)
{
    ag_momentum_step step = {0.95f, 0.05f, .nesterov = true, .grad_scale = 1};
    b->k->momentum(b->w, b->z, b->x, WEIGHTS, &step);
}

static void descend(const bench *b)
{
    b->k->descend(b->w, b->x, WEIGHTS, 1e-6f, 1e-6f);
}

static void kahan_step(const bench *b)
{
    b->k->kahan_step(b->w, b->z, b->x, WEIGHTS, 1e-6f);
}

static void kahan_keep(const bench *b)
{
    b->k->kahan_keep(b->z, b->w, b->x, WEIGHTS);
}

static void eco(const bench *b)
{
    ag_eco_step step = {.factor = 1e-6f, .correction2 = 1, .eps = 1e-8f};
    b->k->eco(b->z, b->p, b->x, b->w, WEIGHTS, &step);
}

static void grid(const bench *b)
{
    ag_rounding_site where = {.key = 3, .place = 4, .use = 2, .step = 5};
    ag_grid_step step = {.format = &b->format, .scale = 64, .momentum = 0.9f, .grad_scale = 1};
    step.rungs_per_velocity = 0.1f;
    step.rung_clip = 10;
    b->k->grid(b->w, b->z, b->x, WEIGHTS, &step, &where);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median seconds of a call. */
static double median(work *call, const bench *b)
{
    double seconds[REPEATS];
    for (int i = 0; i < REPEATS; i++) {
        struct timespec start;
        struct timespec end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        call(b);
        clock_gettime(CLOCK_MONOTONIC, &end);
        seconds[i] =
            (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
    }
    qsort(seconds, REPEATS, sizeof *seconds, by_value);
    return seconds[REPEATS / 2];
}

static float *noise(size_t count)
{
    float *x = calloc(count, sizeof *x);
    for (size_t i = 0; x != NULL && i < count; i++)
        x[i] = (float)((i * 2654435761u >> 7) % 4096) / 1024 - 2;
    return x;
}

static void show(const char *name, work *call, bench *b, double count, const char *unit)
{
    double seconds[2];
    for (int i = 0; i < 2; i++) {
        b->k = i == 0 ? &ag_kernels_plain : &ag_kernels_fast;
        seconds[i] = median(call, b);
    }
    bool flops = strcmp(unit, "GFLOP/s") == 0;
    printf("%-26s %9.1f us %9.1f us   ", name, seconds[0] * 1e6, seconds[1] * 1e6);
    for (int i = 0; i < 2; i++)
        printf(" %8.2f", flops ? count / seconds[i] * 1e-9 : seconds[i] * 1e9 / count);
    printf(" %s\n", unit);
}

int main(void)
{
    static const struct {
        const char *name;
        work *call;
        double count;
    } rows[] = {
        {"amax",                      amax,                      BIG    },
        {"round_bf16",                round_bf16,                BIG    },
        {"quantize e4m3fn",           quantize,                  BIG    },
        {"quantize stochastic",       quantize_stochastic,       BIG    },
        {"quantize nf4",              nf4,                       BIG    },
        {"  stochastic",              nf4_stochastic,            BIG    },
        {"quantize posit8_1",         posit8_1,                  BIG    },
        {"  stochastic",              posit8_1_stochastic,       BIG    },
        {"quantize dynamic8",         dynamic8,                  BIG    },
        {"  stochastic",              dynamic8_stochastic,       BIG    },
        {"quantize 16 crowded",       crowded_16,                BIG    },
        {"  stochastic",              crowded_16_stochastic,     BIG    },
        {"quantize 200 crowded",      crowded_200,               BIG    },
        {"  stochastic",              crowded_200_stochastic,    BIG    },
        {"epilogue bf16",             epilogue,                  BIG    },
        {"accumulate",                accumulate,                BIG    },
        {"add",                       add,                       BIG    },
        {"duplicate",                 duplicate,                 BIG    },
        {"dropout",                   dropout,                   BIG    },
        {"gelu forward",              gelu_forward,              BIG    },
        {"gelu backward",             gelu_backward,             BIG    },
        {"gelu tanh forward",         gelu_tanh_forward,         BIG    },
        {"embedding forward",         embedding_forward,         N * C  },
        {"embedding backward",        embedding_backward,        N * C  },
        {"layernorm forward",         layernorm_forward,         N * C  },
        {"swiglu forward",            swiglu_forward,            BIG / 2},
        {"swiglu backward",           swiglu_backward,           BIG / 2},
        {"rotate",                    rotate,                    N * C  },
        {"rotate in place",           rotate_in_place,           N * C  },
        {"layernorm backward",        layernorm_backward,        N * C  },
        {"bias backward",             bias_backward,             BIG    },
        {"cross entropy",             cross_entropy,             N * V  },
        {"sum_squares",               sum_squares,               WEIGHTS},
        {"adamw",                     adamw,                     WEIGHTS},
        {"manifold_adamw",            manifold_adamw,            WEIGHTS},
        {"sgd",                       sgd,                       WEIGHTS},
        {"grid",                      grid,                      WEIGHTS},
        {"lion",                      lion,                      WEIGHTS},
        {"momentum",                  momentum,                  WEIGHTS},
        {"descend",                   descend,                   WEIGHTS},
        {"kahan_step",                kahan_step,                WEIGHTS},
        {"kahan_keep",                kahan_keep,                WEIGHTS},
        {"eco",                       eco,                       WEIGHTS},
        {"attention forward",         attention_forward,         P      },
        {"attention backward",        attention_backward,        P      },
        {"attention dropout forward", attention_dropout_forward, P      },
    };
    static const char *const schemes[] = {
        "e4m3fn/row", "e4m3fn/1x128", "e4m3fn/128x128",           "e4m3fn/mx",
        "e0m7b0f/mx", "e2m1f/nv",     "e2m1f/nv/amax/stochastic", "e2m1f/nv/amax/nearest/hadamard",
    };
    if (ag_kernels_init() != AG_OK)
        return 3;
    bench b = {.x = noise(ROOM), .y = noise(ROOM), .z = noise(ROOM), .w = noise(ROOM)};
    b.p = calloc(ROOM, sizeof *b.p);
    b.scratch = noise(ROOM);
    b.tokens = calloc(N, sizeof *b.tokens);
    if (!define_crowded("crowded_16", 16) || !define_crowded("crowded_200", 200) ||
        ag_format_parse(&b.format, "e4m3fn") != AG_OK || b.scratch == NULL || b.tokens == NULL)
        return 1;
    printf("%s\n%-26s %12s %12s    %8s %8s\n", ag_products_engine(), "", "plain", "fast", "plain",
           "fast");
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (ag_scheme_parse(&b.scheme, schemes[i]) != AG_OK)
            return 1;
        show(schemes[i], operand_along, &b, BIG, "ns/element");
        show("  over the rows", operand_across, &b, BIG, "ns/element");
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        show(rows[i].name, rows[i].call, &b, rows[i].count, "ns/element");
    return 0;
}
