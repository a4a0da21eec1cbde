/* Accumulators: the named models of hardware, the canonical text of an accumulator, and what
 * contradicts itself. The text enters run ids, so it is written in one way only, and never changes
 * for an accumulator that exists. What the numbers mean stands in include/products/accumulate.h;
 * the models follow the measurements of real cards that accumulator.h names. */
#include "numerics/accumulator.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "numerics/format.h"

/* With F = 36, 256 terms and the spread of a register, sums stay exact in double (accumulate.c). */
enum { MOST_FRACTION = 36, LEAST_FLOOR = -300, MOST_FLOOR = 127, MOST_PROMOTE = 1 << 24 };

#define HALVES                                                                                     \
    {                                                                                              \
        "fp16", "bf16"                                                                             \
    }
#define FP8                                                                                        \
    {                                                                                              \
        "e4m3fn", "e5m2ieee"                                                                       \
    }
#define BLOCK AG_ACCUMULATE_BLOCK
/* Columns: name, alias, formats that it multiplies, whether mixed, hardware, kind, K, F, Emin, the
 * register, whether c is rounded toward zero, products after which the sum is promoted. */
/* clang-format off */
static const ag_accumulator_model s_models[] = {
    {"v100", NULL, {"fp16"}, false, "V100", BLOCK, 4, 23, AG_NO_FLOOR, "fp32", true, 0},
    {"a100", NULL, HALVES, false, "A100, A2, Ada, L40S", BLOCK, 8, 24, -132, "fp32", true, 0},
    {"a100-tf32", NULL, {"bf16"}, false, "A100, TF32 mode", BLOCK, 4, 24, -132, "fp32", true, 0},
    {"ada-fp8", NULL, FP8, true, "Ada, FP8", BLOCK, 16, 13, -132, "e8m13", true, 0},
    {"h100", NULL, HALVES, false, "H100, H200", BLOCK, 16, 25, -133, "fp32", true, 0},
    {"h100-tf32", NULL, {"bf16"}, false, "H100, TF32 mode", BLOCK, 8, 25, -133, "fp32", true, 0},
    {"h100-fp8", "fp22", FP8, true, "H100, H200, FP8", BLOCK, 32, 13, -133, "e8m13", true, 0},
    {"deepseek", NULL, FP8, true, "h100-fp8, every 128 products promoted to float32", BLOCK, 32, 13, -133, "e8m13", true, 128},
    {"b200", NULL, HALVES, false, "B200", BLOCK, 16, 25, -133, "fp32", true, 0},
    {"b200-tf32", NULL, {"bf16"}, false, "B200, TF32 mode", BLOCK, 8, 25, -133, "fp32", true, 0},
    {"b200-fp8", NULL, {"e4m3fn", "e5m2ieee", "e3m2f", "e2m3f", "e2m1f"}, true, "B200, FP8, FP6, FP4, MX", BLOCK, 32, 25, -133, "fp32", true, 0},
    {"b200-nvfp4", NULL, {"e2m1f"}, false, "B200, NVFP4 with its scales", AG_ACCUMULATE_NVFP4, 64, 35, AG_NO_FLOOR, "fp32", true, 0},
    {"v100-half", NULL, {"fp16"}, false, "V100, sums in fp16", BLOCK, 4, 23, -19, "fp16", false, 0},
    {"a100-half", NULL, {"fp16"}, false, "A100, sums in fp16", BLOCK, 8, 24, -20, "fp16", false, 0},
    {"h100-half", NULL, {"fp16"}, false, "H100, sums in fp16", BLOCK, 16, 25, -21, "fp16", false, 0},
    {"mi300", NULL, HALVES, false, "MI300", AG_ACCUMULATE_MI300, 8, 24, AG_NO_FLOOR, "fp32", false, 0},
    {"mi300-tf32", NULL, {"bf16"}, false, "MI300, TF32 mode", AG_ACCUMULATE_MI300, 4, 24, AG_NO_FLOOR, "fp32", false, 0},
    {"mi300-fp8", NULL, {"e4m3fnuz", "e5m2fnuz"}, true, "MI300, FP8", AG_ACCUMULATE_MI300_FP8, 16, 24, AG_NO_FLOOR, "fp32", false, 0},
};
/* clang-format on */

enum { N_MODELS = sizeof s_models / sizeof s_models[0] };

const ag_accumulator_model *ag_accumulator_list(size_t *count)
{
    *count = N_MODELS;
    return s_models;
}

const ag_accumulator_model *ag_accumulator_find(const char *name)
{
    for (size_t i = 0; i < N_MODELS; i++) {
        const char *alias = s_models[i].alias;
        if (strcasecmp(name, s_models[i].name) == 0 ||
            (alias != NULL && strcasecmp(name, alias) == 0))
            return &s_models[i];
    }
    return NULL;
}

/* --- operands */

enum { N_OPERANDS = sizeof s_models[0].operands / sizeof s_models[0].operands[0] };

static bool multiplies(const ag_accumulator_model *model, const char *format)
{
    for (size_t i = 0; i < N_OPERANDS && model->operands[i] != NULL; i++) {
        if (strcmp(model->operands[i], format) == 0)
            return true;
    }
    return false;
}

/* What the hardware does not multiply has not been measured, so that a name refuses it; the parts
 * of a model can be given instead. */
ag_status ag_accumulator_takes(const ag_accumulator_model *model, const char *a, const char *b)
{
    bool both = multiplies(model, a) && multiplies(model, b);
    if (both && (model->mixed || strcmp(a, b) == 0))
        return AG_OK;
    char known[96] = "";
    for (size_t i = 0; i < N_OPERANDS && model->operands[i] != NULL; i++) {
        size_t length = strlen(known);
        snprintf(known + length, sizeof known - length, "%s%s", i > 0 ? ", " : "",
                 model->operands[i]);
    }
    return ag_fail(AG_ERR_INPUT, "%s multiplies %s%s, not %s by %s", model->name, known,
                   both ? ", both operands of one format" : "", a, b);
}

/* --- registers */

/* e<E>m<M>[ieee] with more than 16 bits, which formats of elements do not have: registers such as
 * the 22 bits of H100's FP8 (e8m13). */
static bool read_wide(ag_register *number, const char *name)
{
    int exponent = 0;
    int mantissa = 0;
    int length = 0;
    if (sscanf(name, "%*1[eE]%1d%*1[mM]%2d%n", &exponent, &mantissa, &length) != 2 ||
        exponent < 2 || exponent > 8 || mantissa > 22 || 1 + exponent + mantissa <= 16)
        return false;
    if (name[length] != '\0' && strcasecmp(name + length, "ieee") != 0)
        return false;
    int emax = (1 << (exponent - 1)) - 1;
    *number = (ag_register){.mantissa = mantissa, .emin = 1 - emax};
    number->max = ldexpf(2 - ldexpf(1, -mantissa), emax);
    snprintf(number->name, sizeof number->name, "e%dm%d", exponent, mantissa);
    return true;
}

/* A register is known by mantissa, smallest exponent and largest value; Inf and NaN are those of
 * float32. */
ag_status ag_register_parse(ag_register *number, const char *name)
{
    ag_format format;
    if (read_wide(number, name))
        return AG_OK;
    AG_TRY(ag_format_parse(&format, name));
    *number = (ag_register){.mantissa = format.mantissa, .emin = format.emin, .max = format.max};
    memcpy(number->name, format.name, sizeof number->name);
    return AG_OK;
}

/* --- text */

/* A model with its own registers; promoted sums are float32, as DeepSeek-V3 has them. */
static ag_status set_model(ag_accumulator *accumulator, const ag_accumulator_model *model)
{
    *accumulator = (ag_accumulator){
        .kind = model->kind,
        .terms = model->terms,
        .fraction = model->fraction,
        .floor = model->floor,
        .toward_zero = model->toward_zero,
        .promote = model->promote,
    };
    if (model->promote > 0)
        AG_TRY(ag_register_parse(&accumulator->outer, "fp32"));
    return ag_register_parse(&accumulator->into, model->into);
}

/* The words of kinds in the text; a chain and a block are told apart by terms alone. */
static const char *const s_kinds[AG_ACCUMULATE_KINDS] = {NULL,    "chain", "block",
                                                         "nvfp4", "mi300", "mi300-fp8"};

/* Members in a fixed order, and only those that have an effect: equal accumulators have equal
 * texts. */
void ag_accumulator_write(char text[AG_ACCUMULATOR_TEXT], const ag_accumulator *accumulator)
{
    char model[24] = "";
    char fraction[48] = "";
    char promote[64] = "";
    if (accumulator->kind == AG_ACCUMULATE_SEGMENTS) {
        snprintf(text, AG_ACCUMULATOR_TEXT, "default");
        return;
    }
    if (accumulator->kind > AG_ACCUMULATE_BLOCK)
        snprintf(model, sizeof model, "model=%s,", s_kinds[accumulator->kind]);
    if (accumulator->fraction != 0)
        snprintf(fraction, sizeof fraction, ",fraction=%d", accumulator->fraction);
    if (accumulator->floor != AG_NO_FLOOR) {
        size_t length = strlen(fraction);
        snprintf(fraction + length, sizeof fraction - length, ",floor=%d", accumulator->floor);
    }
    if (accumulator->promote > 0)
        snprintf(promote, sizeof promote, ",promote=%d,outer=%s", accumulator->promote,
                 accumulator->outer.name);
    snprintf(text, AG_ACCUMULATOR_TEXT, "%sterms=%d%s,into=%s,round=%s%s", model,
             accumulator->terms, fraction, accumulator->into.name,
             accumulator->toward_zero ? "zero" : "nearest", promote);
}

/* The first model that is equal wins: those of one generation differ in what they multiply alone.
 */
void ag_accumulator_describe(char text[AG_ACCUMULATOR_TEXT], const ag_accumulator *accumulator)
{
    ag_accumulator named;
    ag_accumulator_write(text, accumulator);
    if (accumulator->kind == AG_ACCUMULATE_CHAIN && accumulator->promote == 0 &&
        !accumulator->toward_zero)
        snprintf(text, AG_ACCUMULATOR_TEXT, "%s", accumulator->into.name);
    for (size_t i = 0; i < N_MODELS; i++) {
        if (set_model(&named, &s_models[i]) != AG_OK || !ag_accumulator_equal(&named, accumulator))
            continue;
        snprintf(text, AG_ACCUMULATOR_TEXT, "%s", s_models[i].name);
        return;
    }
}

/* The range of each number is checked later, by ag_accumulator_check; here only that it fits an
 * int. */
static ag_status read_number(int *out, const char *value)
{
    char *end = NULL;
    long number = strtol(value, &end, 10);
    if (end == value || *end != '\0' || labs(number) > MOST_PROMOTE)
        return ag_fail(AG_ERR_INPUT, "'%s' is no number of an accumulator", value);
    *out = (int)number;
    return AG_OK;
}

static ag_status read_kind(ag_accumulator *accumulator, const char *value)
{
    for (int kind = AG_ACCUMULATE_NVFP4; kind < AG_ACCUMULATE_KINDS; kind++) {
        if (strcmp(value, s_kinds[kind]) == 0) {
            accumulator->kind = (ag_accumulator_kind)kind;
            return AG_OK;
        }
    }
    return ag_fail(AG_ERR_INPUT, "there is no model '%s' of accumulators", value);
}

/* One key=value of the text. */
static ag_status read_member(ag_accumulator *accumulator, const char *key, const char *value)
{
    if (strcmp(key, "model") == 0)
        return read_kind(accumulator, value);
    if (strcmp(key, "terms") == 0)
        return read_number(&accumulator->terms, value);
    if (strcmp(key, "fraction") == 0)
        return read_number(&accumulator->fraction, value);
    if (strcmp(key, "floor") == 0)
        return read_number(&accumulator->floor, value);
    if (strcmp(key, "promote") == 0)
        return read_number(&accumulator->promote, value);
    if (strcmp(key, "into") == 0)
        return ag_register_parse(&accumulator->into, value);
    if (strcmp(key, "outer") == 0)
        return ag_register_parse(&accumulator->outer, value);
    accumulator->toward_zero = strcmp(value, "zero") == 0;
    if (strcmp(key, "round") != 0 || (!accumulator->toward_zero && strcmp(value, "nearest") != 0))
        return ag_fail(AG_ERR_INPUT, "an accumulator has no '%s=%s'", key, value);
    return AG_OK;
}

/* key=value,key=value,... as ag_accumulator_write leaves it. */
static ag_status read_members(ag_accumulator *accumulator, const char *text)
{
    char copy[AG_ACCUMULATOR_TEXT];
    char *rest = copy;
    *accumulator = (ag_accumulator){.floor = AG_NO_FLOOR};
    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy)
        return ag_fail(AG_ERR_INPUT, "'%.60s...' is too long for an accumulator", text);
    for (char *member; (member = strsep(&rest, ",")) != NULL;) {
        char *value = strchr(member, '=');
        if (value == NULL)
            return ag_fail(AG_ERR_INPUT, "'%s' is no member of an accumulator", member);
        *value++ = '\0';
        AG_TRY(read_member(accumulator, member, value));
    }
    if (accumulator->kind == AG_ACCUMULATE_SEGMENTS)
        accumulator->kind = accumulator->terms == 1 ? AG_ACCUMULATE_CHAIN : AG_ACCUMULATE_BLOCK;
    AG_TRY(ag_accumulator_check(accumulator));
    ag_accumulator_normalise(accumulator);
    return AG_OK;
}

/* A message with all names, since nobody knows them by heart, and the nearest one first. */
static ag_status unknown(const char *name)
{
    enum { N_FORMATS = 4 };
    static const char *const formats[N_FORMATS] = {"fp32", "bf16", "fp16", "e5m2"};
    const char *words[2 * N_MODELS + N_FORMATS];
    size_t count = 0;
    ag_text known;
    ag_text_init(&known);
    for (size_t i = 0; i < N_MODELS; i++) {
        words[count++] = s_models[i].name;
        if (s_models[i].alias != NULL)
            words[count++] = s_models[i].alias;
    }
    for (size_t i = 0; i < count; i++)
        ag_text_printf(&known, "%s%s", i > 0 ? ", " : "", words[i]);
    for (size_t i = 0; i < N_FORMATS; i++)
        words[count++] = formats[i];
    const char *nearest = ag_nearest_word(name, words, count);
    ag_status status =
        ag_fail(AG_ERR_INPUT, "there is no accumulator '%.60s'%s%s%s; known: %s, and formats (%s)",
                name, nearest != NULL ? " (did you mean '" : "", nearest != NULL ? nearest : "",
                nearest != NULL ? "'?)" : "", known.data, "fp32, bf16, fp16, ...");
    ag_text_deinit(&known);
    return status;
}

/* Names first, then the canonical text, then a format: a chain in that format. */
ag_status ag_accumulator_parse(ag_accumulator *accumulator, const char *text)
{
    const ag_accumulator_model *model = ag_accumulator_find(text);
    *accumulator = (ag_accumulator){0};
    if (model != NULL)
        return set_model(accumulator, model);
    if (strchr(text, '=') != NULL)
        return read_members(accumulator, text);
    ag_error_clear();
    if (ag_register_parse(&accumulator->into, text) != AG_OK) {
        ag_error_clear();
        return unknown(text);
    }
    accumulator->kind = AG_ACCUMULATE_CHAIN;
    accumulator->terms = 1;
    accumulator->floor = AG_NO_FLOOR;
    return AG_OK;
}

/* --- what contradicts itself, and what means the same */

/* A chain aligns nothing, so what says how to align is a misunderstanding. */
static ag_status check_chain(const ag_accumulator *accumulator)
{
    if (accumulator->terms != 1)
        return ag_fail(AG_ERR_INPUT, "terms is %d: a chain has one product a step",
                       accumulator->terms);
    if (accumulator->fraction != 0 || accumulator->floor != AG_NO_FLOOR)
        return ag_fail(AG_ERR_INPUT,
                       "%s has no effect with terms 1, whose products are added one "
                       "by one; for blocks of products set terms to 2 or more",
                       accumulator->fraction != 0 ? "fraction" : "floor");
    return AG_OK;
}

/* The messages name what is usual: few know what a fraction is, but many know h100. */
static ag_status check_block(const ag_accumulator *accumulator)
{
    if (accumulator->terms < 2 || accumulator->terms > AG_MOST_TERMS)
        return ag_fail(AG_ERR_INPUT, "terms is %d: expected 1 to %d", accumulator->terms,
                       AG_MOST_TERMS);
    if (accumulator->fraction == 0)
        return ag_fail(AG_ERR_INPUT,
                       "blocks of %d products need 'fraction', the bits that terms "
                       "keep below the largest exponent (h100-fp8: 13, a100: 24)",
                       accumulator->terms);
    if (accumulator->fraction < 1 || accumulator->fraction > MOST_FRACTION)
        return ag_fail(AG_ERR_INPUT, "fraction is %d: expected 1 to %d", accumulator->fraction,
                       MOST_FRACTION);
    if (accumulator->floor != AG_NO_FLOOR &&
        (accumulator->floor < LEAST_FLOOR || accumulator->floor > MOST_FLOOR))
        return ag_fail(AG_ERR_INPUT, "floor is %d: expected %d to %d", accumulator->floor,
                       LEAST_FLOOR, MOST_FLOOR);
    return AG_OK;
}

/* The models beyond chains and blocks are hardware as it was measured; each has one form, and only
 * promotion may be chosen. */
static ag_status check_model(const ag_accumulator *accumulator)
{
    ag_accumulator named;
    for (size_t i = 0; i < N_MODELS; i++) {
        if (s_models[i].kind != accumulator->kind || s_models[i].terms != accumulator->terms)
            continue;
        AG_TRY(set_model(&named, &s_models[i]));
        named.promote = accumulator->promote;
        named.outer = accumulator->outer;
        if (ag_accumulator_equal(&named, accumulator))
            return AG_OK;
    }
    return ag_fail(AG_ERR_INPUT, "model %s has other members", s_kinds[accumulator->kind]);
}

/* A part must be whole steps, or a step would be cut where it is promoted. */
static ag_status check_promote(const ag_accumulator *accumulator)
{
    int promote = accumulator->promote;
    if (promote == 0 && accumulator->outer.name[0] != '\0')
        return ag_fail(AG_ERR_INPUT, "outer has no effect without promote, the number of products "
                                     "after which the sum goes there");
    if (promote != 0 && accumulator->outer.name[0] == '\0')
        return ag_fail(AG_ERR_INPUT, "promote needs outer, the format of the outer sum");
    if (promote < 0 || promote > MOST_PROMOTE || promote % accumulator->terms != 0)
        return ag_fail(AG_ERR_INPUT, "promote is %d: expected a multiple of terms (%d), such as %d",
                       promote, accumulator->terms,
                       (128 + accumulator->terms - 1) / accumulator->terms * accumulator->terms);
    return AG_OK;
}

ag_status ag_accumulator_check(const ag_accumulator *accumulator)
{
    if (accumulator->kind == AG_ACCUMULATE_SEGMENTS)
        return AG_OK;
    if (accumulator->into.name[0] == '\0')
        return ag_fail(AG_ERR_INPUT, "an accumulator needs 'into', its format");
    if (accumulator->kind == AG_ACCUMULATE_CHAIN)
        AG_TRY(check_chain(accumulator));
    else
        AG_TRY(check_block(accumulator));
    if (accumulator->kind > AG_ACCUMULATE_BLOCK)
        AG_TRY(check_model(accumulator));
    return check_promote(accumulator);
}

/* A chain's fused multiply-add has rounded to float32 already: how its register rounds has no
 * effect. */
void ag_accumulator_normalise(ag_accumulator *accumulator)
{
    if (accumulator->kind == AG_ACCUMULATE_CHAIN && strcmp(accumulator->into.name, "fp32") == 0)
        accumulator->toward_zero = false;
}

bool ag_accumulator_equal(const ag_accumulator *a, const ag_accumulator *b)
{
    return a->kind == b->kind && a->terms == b->terms && a->fraction == b->fraction &&
           a->floor == b->floor && a->toward_zero == b->toward_zero &&
           strcmp(a->into.name, b->into.name) == 0 && a->promote == b->promote &&
           strcmp(a->outer.name, b->outer.name) == 0;
}
