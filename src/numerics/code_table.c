/* Code tables from what is written to what rounds: values in rising order, and the smallest float32
 * that goes to each of them. All rules of ties and bounds are in those numbers, so that tables that
 * round alike are equal. */
#include "numerics/code_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "code_table_internal.h"
#include "numerics_internal.h"

const char *const ag_ties_words[AG_TABLE_TIES] = {"even", "low", "away"};

/* --- from the text */

typedef struct entry {
    float value;
    int code;
} entry;

static int by_value(const void *a, const void *b)
{
    float x = ((const entry *)a)->value;
    float y = ((const entry *)b)->value;
    return (x > y) - (x < y);
}

static ag_status sort_values(entry sorted[AG_TABLE_CODES], int *count, const ag_table_text *text)
{
    *count = 0;
    for (int code = 0; code < text->n_codes; code++) {
        float value = text->value[code];
        if (isnan(value))
            continue;
        if (!(fabsf(value) <= 0x1p126f))
            return ag_fail(AG_ERR_INPUT, "value %d is %.9g: expected -2^126 to 2^126", code,
                           (double)value);
        sorted[(*count)++] = (entry){value == 0.0f ? 0.0f : value, code};
    }
    if (*count < 2)
        return ag_fail(AG_ERR_INPUT, "a table needs 2 to %d values, not %d", AG_TABLE_CODES,
                       *count);
    qsort(sorted, (size_t)*count, sizeof *sorted, by_value);
    for (int i = 1; i < *count; i++) {
        if (sorted[i].value == sorted[i - 1].value)
            return ag_fail(AG_ERR_INPUT,
                           "values %d and %d (counted from 0) are both %.9g as float32: expected "
                           "distinct values",
                           sorted[i - 1].code, sorted[i].code, (double)sorted[i].value);
    }
    return AG_OK;
}

static ag_status check_bounds(const ag_table_text *text, const entry *sorted, int count)
{
    if (text->n_bounds == 0)
        return AG_OK;
    if (text->n_bounds != count - 1)
        return ag_fail(AG_ERR_INPUT,
                       "bounds: %d for %d values: expected one between each two neighbours, %d",
                       text->n_bounds, count, count - 1);
    for (int i = 0; i < text->n_bounds; i++) {
        if (!(text->bound[i] >= sorted[i].value && text->bound[i] <= sorted[i + 1].value))
            return ag_fail(AG_ERR_INPUT,
                           "bound %d (counted from 0) is %.9g: expected %.9g to %.9g, the values "
                           "that it lies between in rising order",
                           i, (double)text->bound[i], (double)sorted[i].value,
                           (double)sorted[i + 1].value);
    }
    return AG_OK;
}

/* Whether x at the bound itself goes to the upper neighbour. A bound that is a value is that
 * value's. */
static bool bound_is_upper(const ag_table_text *text, const entry *lower, float bound)
{
    const entry *upper = lower + 1;
    if (bound == lower->value || bound == upper->value)
        return bound == upper->value;
    switch (text->ties) {
    case AG_TIES_EVEN: /* of two odd or even codes, which distinct neighbours may have: the lower */
        return lower->code % 2 != 0 && upper->code % 2 == 0;
    case AG_TIES_LOW:
        return false;
    default:
        return fabsf(upper->value) > fabsf(lower->value);
    }
}

static float bound_of(const ag_table_text *text, const entry *sorted, int i)
{
    if (text->n_bounds > 0)
        return text->bound[i];
    float sum = sorted[i].value + sorted[i + 1].value;
    return sum * 0.5f;
}

static float largest_of(const float *values, int count)
{
    return fmaxf(fabsf(values[0]), fabsf(values[count - 1]));
}

ag_status ag_element_table(const ag_code_table **out, const ag_table_text *text)
{
    entry sorted[AG_TABLE_CODES];
    float values[AG_TABLE_CODES] = {0};
    float from[AG_TABLE_CODES];
    uint8_t codes[AG_TABLE_CODES] = {0};
    int count = 0;
    AG_TRY(sort_values(sorted, &count, text));
    AG_TRY(check_bounds(text, sorted, count));
    for (int i = 0; i < count; i++) {
        values[i] = sorted[i].value;
        codes[i] = (uint8_t)sorted[i].code;
        if (i + 1 == count)
            break;
        float bound = bound_of(text, sorted, i);
        from[i] = bound_is_upper(text, &sorted[i], bound) ? bound : nextafterf(bound, INFINITY);
    }
    float top = text->top == 0.0f ? largest_of(values, count) : text->top;
    AG_TRY(ag_element_table_resolved(out, count, values, from, top));
    memcpy((*(ag_code_table *const *)out)->code, codes, sizeof codes);
    return AG_OK;
}

/* --- ladders */

static float number(const ag_ladder *ladder, int i)
{
    return ag_bits_float(ladder->from[i]);
}

/* How many of the numbers are at most x. */
static int place_of(const ag_ladder *ladder, int count, float x)
{
    int low = 0;
    int high = count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (x >= number(ladder, middle))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The magnitudes that buckets tell apart: normal ones. False where there are none. */
static bool range_of(uint32_t *least, uint32_t *most, const ag_ladder *ladder, int count)
{
    *least = UINT32_MAX;
    *most = 0;
    for (int i = 0; i < count; i++) {
        uint32_t magnitude = ladder->from[i] & AG_MAGNITUDE_BITS;
        if (magnitude >> FLOAT_MANTISSA == 0)
            continue;
        *least = magnitude < *least ? magnitude : *least;
        *most = magnitude > *most ? magnitude : *most;
    }
    return *most > 0;
}

/* How many numbers are at most the least and the largest x of a bucket. */
static void bucket_ends(int *low, int *high, const ag_ladder *ladder, int count, int bucket)
{
    bool negative = bucket >= ladder->half;
    int32_t at = bucket - (negative ? ladder->half : 0);
    uint32_t small = at == 0 ? 0 : (uint32_t)(ladder->base + at) << ladder->shift;
    uint32_t large = at + 1 == ladder->half
                         ? AG_INFINITE_BITS
                         : ((uint32_t)(ladder->base + at + 1) << ladder->shift) - 1;
    *low = place_of(ladder, count, ag_bits_float(negative ? AG_SIGN_BIT | large : small));
    *high = place_of(ladder, count, ag_bits_float(negative ? AG_SIGN_BIT | small : large));
}

/* The most numbers of a bucket; -1 where there would be too many buckets. */
static int set_buckets(ag_ladder *ladder, int count, int shift)
{
    uint32_t least;
    uint32_t most;
    if (!range_of(&least, &most, ladder, count))
        least = most = 1u << FLOAT_MANTISSA;
    ladder->shift = shift;
    ladder->base = (int32_t)(least >> shift) - 1;
    ladder->half = (int32_t)(most >> shift) - ladder->base + 1;
    if (2 * ladder->half > AG_TABLE_BUCKETS)
        return -1;
    int crowd = 0;
    for (int i = 0; i < 2 * ladder->half; i++) {
        int low;
        int high;
        bucket_ends(&low, &high, ladder, count, i);
        crowd = high - low > crowd ? high - low : crowd;
    }
    return crowd;
}

/* The fewest buckets of one number each, else none. */
static void fill_ladder(ag_ladder *ladder, const float *from, int count)
{
    for (int i = 0; i < AG_TABLE_ROOM; i++)
        ladder->from[i] = i < count ? ag_float_bits(from[i]) : AG_NAN_BITS;
    for (int shift = FLOAT_MANTISSA; shift > 8 && !ladder->single; shift--) {
        int crowd = set_buckets(ladder, count, shift);
        if (crowd < 0)
            return;
        ladder->single = crowd <= 1;
    }
}

static void fill_cells(ag_ladder *ladder, const ag_code_table *table)
{
    int last = table->count - 1;
    for (int i = 0; ladder->single && i < 2 * ladder->half; i++) {
        int low;
        int high;
        bucket_ends(&low, &high, ladder, last, i);
        ladder->cells[i].from = ladder->from[low];
        for (int j = 0; j < 3; j++)
            ladder->cells[i].value[j] = table->value[low + j < last ? low + j : last];
    }
}

/* --- one table of each meaning */

/* FNV-1a of 64 bits, over the words' bytes from the lowest on. */
static uint64_t add_to_hash(uint64_t hash, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < 4 * count; i++)
        hash = (hash ^ (words[i / 4] >> 8 * (i % 4) & 0xffu)) * 0x100000001b3u;
    return hash;
}

static uint64_t hash_of(const ag_code_table *table)
{
    size_t count = (size_t)table->count;
    uint32_t top = ag_float_bits(table->top);
    uint64_t hash = add_to_hash(0xcbf29ce484222325u, table->value, count);
    hash = add_to_hash(hash, table->nearest.from, count - 1);
    return add_to_hash(hash, &top, 1);
}

static ag_status check_resolved(int count, const float *values, const float *from, float top)
{
    bool good = count >= 2 && count <= AG_TABLE_CODES;
    for (int i = 0; good && i < count; i++) {
        good = fabsf(values[i]) <= 0x1p126f && (i == 0 || values[i - 1] < values[i]);
        if (i + 1 < count)
            good = good && from[i] > values[i] && from[i] <= values[i + 1];
    }
    if (!good)
        return ag_fail(AG_ERR_INPUT, "a table's values rise, and each goes to itself");
    if (!(top >= 0x1p-126f && top <= 0x1p126f))
        return ag_fail(AG_ERR_INPUT, "top is %.9g: expected 2^-126 to 2^126", (double)top);
    return AG_OK;
}

bool ag_element_tables_equal(const ag_code_table *a, const ag_code_table *b)
{
    size_t bytes = (size_t)a->count * sizeof *a->value;
    return a->count == b->count && ag_float_bits(a->top) == ag_float_bits(b->top) &&
           memcmp(a->value, b->value, bytes) == 0 &&
           memcmp(a->nearest.from, b->nearest.from, sizeof a->nearest.from) == 0;
}

ag_status ag_element_table_resolved(const ag_code_table **out, int count, const float *values,
                                    const float *from, float top)
{
    AG_TRY(check_resolved(count, values, from, top));
    ag_code_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for a table");
    table->count = count;
    table->top = top;
    for (int i = 0; i < count; i++) {
        table->value[i] = values[i] == 0.0f ? 0 : ag_float_bits(values[i]);
        table->code[i] = (uint8_t)i;
    }
    fill_ladder(&table->nearest, from, count - 1);
    fill_ladder(&table->between, values + 1, count - 1);
    fill_cells(&table->nearest, table);
    fill_cells(&table->between, table);
    for (int i = 0; i + 1 < count && i < AG_TABLE_FEW; i++)
        table->more[i] = table->value[i + 1] - table->value[i];
    snprintf(table->name, sizeof table->name, "table-%016llx", (unsigned long long)hash_of(table));
    return ag_element_keep(out, table);
}

/* --- rounding */

static float value_at(const ag_code_table *table, int i)
{
    return ag_bits_float(table->value[i]);
}

float ag_table_decode(const ag_code_table *table, uint32_t code)
{
    for (int i = 0; i < table->count; i++) {
        if (table->code[i] == code)
            return value_at(table, i);
    }
    return ag_bits_float(AG_NAN_BITS);
}

/* 0 is the sign's. */
static float signed_as(float value, float x)
{
    return value == 0.0f ? copysignf(0.0f, x) : value;
}

float ag_table_nearest(const ag_code_table *table, float x)
{
    if (isnan(x))
        return ag_bits_float(AG_NAN_BITS);
    return signed_as(value_at(table, place_of(&table->nearest, table->count - 1, x)), x);
}

/* The neighbours around x, which lies within the values. */
static void neighbours(float *lower, float *upper, const ag_code_table *table, float x)
{
    int i = place_of(&table->between, table->count - 2, x);
    *lower = value_at(table, i);
    *upper = value_at(table, i + 1);
}

static float within(const ag_code_table *table, float x)
{
    return fminf(fmaxf(x, value_at(table, 0)), value_at(table, table->count - 1));
}

float ag_table_stochastic(const ag_code_table *table, float x, uint32_t random, int bits)
{
    float lower;
    float upper;
    if (isnan(x))
        return ag_bits_float(AG_NAN_BITS);
    float inside = within(table, x);
    neighbours(&lower, &upper, table, inside);
    float near = upper <= 0.0f ? upper : lower;
    float far = upper <= 0.0f ? lower : upper;
    double part = fabs((double)inside - near) / fabs((double)far - near);
    double steps = floor(ldexp(part, bits));
    bool is_far = steps + (double)(random >> (32 - bits)) >= ldexp(1.0, bits);
    return signed_as(is_far ? far : near, x);
}

bool ag_table_overflows(const ag_code_table *table, float x)
{
    int last = table->count - 1;
    double above = ((double)value_at(table, last) - value_at(table, last - 1)) / 2;
    double below = ((double)value_at(table, 1) - value_at(table, 0)) / 2;
    return x > value_at(table, last) + above || x < value_at(table, 0) - below;
}

double ag_table_spacing(const ag_code_table *table, float x)
{
    float lower;
    float upper;
    if (isnan(x))
        return NAN;
    neighbours(&lower, &upper, table, within(table, x));
    return (double)upper - lower;
}
