/* The built-in tables. Sources: NF4 and the dynamic maps as bitsandbytes has them; Posit Standard
 * 2022 with es of 0, 1 and 2; linear takums of arXiv 2404.18603. Posits and takums round as their
 * standards say: the bound between two codes is the value of the code of one bit more that lies
 * between them, and nothing but 0 becomes 0. */
#include <math.h>
#include <strings.h>

#include "dynamic_maps.h"
#include "numerics/code_table.h"
#include "numerics_internal.h"

static void add_value(ag_table_text *text, float value)
{
    text->value[text->n_codes++] = value;
}

static void fill_nf4(ag_table_text *text, int es)
{
    static const float values[16] = {
        -1.0f,
        -0.6961928009986877f,
        -0.5250730514526367f,
        -0.39491748809814453f,
        -0.28444138169288635f,
        -0.18477343022823334f,
        -0.09105003625154495f,
        0.0f,
        0.07958029955625534f,
        0.16093020141124725f,
        0.24611230194568634f,
        0.33791524171829224f,
        0.44070982933044434f,
        0.5626170039176941f,
        0.7229568362236023f,
        1.0f,
    };
    (void)es;
    text->ties = AG_TIES_LOW;
    for (int i = 0; i < 16; i++)
        add_value(text, values[i]);
}

static void fill_dynamic8(ag_table_text *text, int es)
{
    (void)es;
    text->ties = AG_TIES_LOW;
    for (int i = 126; i >= 0; i--)
        add_value(text, -ag_bits_float(s_dynamic8[i]));
    add_value(text, 0.0f);
    for (int i = 0; i < 127; i++)
        add_value(text, ag_bits_float(s_dynamic8[i]));
    add_value(text, 1.0f);
}

static void fill_dynamic8u(ag_table_text *text, int es)
{
    (void)es;
    text->ties = AG_TIES_LOW;
    add_value(text, 0.0f);
    for (int i = 0; i < 254; i++)
        add_value(text, ag_bits_float(s_dynamic8u[i]));
    add_value(text, 1.0f);
}

/* The value of a positive code of `bits` bits. */
typedef double value_fn(uint32_t code, int bits, int es);

/* A run of equal bits r after the sign, ended by its opposite: k = its length - 1 for ones, minus
 * that for zeros; es bits of exponent, those cut off being 0; the fraction. */
static double posit_value(uint32_t code, int bits, int es)
{
    int at = bits - 2;
    uint32_t lead = code >> at & 1;
    int run = 0;
    for (; at >= 0 && (code >> at & 1) == lead; at--)
        run++;
    int left = at > 0 ? at : 0;
    uint32_t rest = code & ((1u << left) - 1);
    int exponent = (lead == 1 ? run - 1 : -run) * (1 << es);
    exponent += (int)(left >= es ? rest >> (left - es) : rest << (es - left));
    int fraction = left > es ? left - es : 0;
    double part = (double)(rest & ((1u << fraction) - 1));
    return ldexp(1.0 + ldexp(part, -fraction), exponent);
}

/* The direction d, three bits of regime, r bits of characteristic, the mantissa; a code shorter
 * than 12 bits goes on with zeros. */
static double takum_value(uint32_t code, int bits, int es)
{
    (void)es;
    uint32_t whole = code << (16 - bits);
    uint32_t d = whole >> 14 & 1;
    uint32_t field = whole >> 11 & 7;
    int r = (int)(d == 1 ? field : 7 - field);
    int characteristic = (int)((whole & 0x7ff) >> (11 - r));
    characteristic += d == 1 ? (1 << r) - 1 : 1 - (2 << r);
    uint32_t mantissa = whole & ((1u << (11 - r)) - 1);
    return ldexp(1.0 + ldexp((double)mantissa, r - 11), characteristic);
}

static bool fits(double value)
{
    return value <= 0x1p126 && value >= 0x1p-126;
}

/* Codes are two's complement: code 80 is no number. Bounds stand in rising order. */
static void fill_signed(ag_table_text *text, value_fn *value, int es)
{
    float bounds[128];
    int n_bounds = 0;
    text->n_codes = AG_TABLE_CODES;
    text->value[0] = 0.0f;
    text->value[128] = NAN;
    for (uint32_t code = 1; code < 128; code++) {
        double exact = value(code, 8, es);
        bool is_kept = fits(exact);
        text->value[code] = is_kept ? (float)exact : NAN;
        text->value[256 - code] = -text->value[code];
        if (!is_kept)
            continue;
        bounds[n_bounds] = n_bounds == 0 ? 0.0f : (float)value(2 * code - 1, 9, es);
        n_bounds++;
    }
    text->ties = AG_TIES_EVEN;
    text->n_bounds = 2 * n_bounds;
    for (int i = 0; i < n_bounds; i++) {
        text->bound[n_bounds + i] = bounds[i];
        text->bound[n_bounds - 1 - i] = bounds[i] == 0.0f ? 0.0f : -bounds[i];
    }
}

static void fill_posit(ag_table_text *text, int es)
{
    fill_signed(text, posit_value, es);
}

static void fill_takum(ag_table_text *text, int es)
{
    fill_signed(text, takum_value, es);
}

static const ag_built_in_table s_tables[] = {
    {"nf4",       "NormalFloat4 of QLoRA, as bitsandbytes has it",        fill_nf4,       0},
    {"dynamic8",  "signed dynamic map of 8-bit optimizers, bitsandbytes", fill_dynamic8,  0},
    {"dynamic8u", "unsigned dynamic map, bitsandbytes",                   fill_dynamic8u, 0},
    {"posit8_0",  "posits of 8 bits, 0 exponent bits",                    fill_posit,     0},
    {"posit8_1",  "posits of 8 bits, 1 exponent bit",                     fill_posit,     1},
    {"posit8_2",  "posits of 8 bits, 2 exponent bits (standard of 2022)", fill_posit,     2},
    {"takum8",    "linear takums of 8 bits within 2^+-126",               fill_takum,     0},
};

const ag_built_in_table *ag_element_built_ins(size_t *count)
{
    *count = sizeof s_tables / sizeof s_tables[0];
    return s_tables;
}

bool ag_element_built_in(ag_table_text *text, const char *name)
{
    *text = (ag_table_text){0};
    for (size_t i = 0; i < sizeof s_tables / sizeof s_tables[0]; i++) {
        if (strcasecmp(name, s_tables[i].name) != 0)
            continue;
        s_tables[i].fill(text, s_tables[i].exponent_bits);
        return true;
    }
    return false;
}
