/* The built-in tables. Sources: NF4 and the dynamic maps as bitsandbytes has them; Posit Standard
 * 2022 with es of 0, 1 and 2; linear takums of arXiv 2404.18603. Posits and takums round as their
 * standards say: the bound between two codes is the value of the code of one bit more that lies
 * between them, and nothing but 0 becomes 0. */
#include <math.h>
#include <strings.h>

#include "dynamic_maps.h"
#include "numerics/code_table.h"
#include "numerics_internal.h"

static const char *const s_names[] = {"nf4",      "dynamic8", "dynamic8u", "posit8_0",
                                      "posit8_1", "posit8_2", "takum8"};
enum { N_NAMES = sizeof s_names / sizeof s_names[0] };

const char *const *ag_element_built_ins(size_t *count)
{
    *count = N_NAMES;
    return s_names;
}

static void add_value(ag_table_text *text, float value)
{
    text->value[text->n_codes++] = value;
}

static void fill_nf4(ag_table_text *text)
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
    text->ties = AG_TIES_LOW;
    for (int i = 0; i < 16; i++)
        add_value(text, values[i]);
}

static void fill_dynamic8(ag_table_text *text)
{
    text->ties = AG_TIES_LOW;
    for (int i = 126; i >= 0; i--)
        add_value(text, -ag_bits_float(s_dynamic8[i]));
    add_value(text, 0.0f);
    for (int i = 0; i < 127; i++)
        add_value(text, ag_bits_float(s_dynamic8[i]));
    add_value(text, 1.0f);
}

static void fill_dynamic8u(ag_table_text *text)
{
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

bool ag_element_built_in(ag_table_text *text, const char *name)
{
    int i = 0;
    while (i < N_NAMES && strcasecmp(name, s_names[i]) != 0)
        i++;
    *text = (ag_table_text){0};
    if (i == 0)
        fill_nf4(text);
    else if (i == 1)
        fill_dynamic8(text);
    else if (i == 2)
        fill_dynamic8u(text);
    else if (i < 6)
        fill_signed(text, posit_value, i - 3);
    else if (i == 6)
        fill_signed(text, takum_value, 0);
    return i < N_NAMES;
}
