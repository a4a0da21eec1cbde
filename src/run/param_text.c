/* One parameter's value between the run and the text a user writes. Types come from the table,
 * never from how a value looks: `no`, `1e-3` and `010` mean what the parameter's type says, and a
 * text that could mean two things is refused.
 *
 * Everything that reads a value comes here: YAML, --set, JSON and the grid, so that all of them
 * accept the same texts and give the same messages. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/text.h"
#include "params_internal.h"
#include "run/run_json.h"

/* A share of the steps is kept as a whole number of billionths, which any percentage with seven
 * decimals is exactly; negative, since a number of steps never is. */
enum { SHOWN = AG_SHOWN_OF_TEXT, MAX_WORDS = 32 };
enum { SHARE_PERCENT = AG_SHARE_WHOLE / 100 };

static void *at(ag_run *run, const ag_param *param)
{
    return (char *)run + param->offset;
}

const char **ag_param_text_at(ag_run *run, const ag_param *param)
{
    return at(run, param);
}

/* --- reading */

/* A decimal number and nothing after it but `rest`, which may have spaces around it. Spaces come
 * from "5 %" and "90 s", which people write. */
static bool read_number(double *value, const char **rest, const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    const char *digits = text + strspn(text, "+-");
    size_t lead = strspn(digits, "0123456789.");
    /* strtod alone would take hexadecimals, infinities and NaN too */
    if (digits - text > 1 || lead == 0 || digits[lead] == 'x' || digits[lead] == 'X')
        return false;
    char *end = NULL;
    *value = strtod(text, &end);
    while (isspace((unsigned char)*end))
        end++;
    *rest = end;
    return end != text && isfinite(*value);
}

static bool read_real(double *value, const char *text)
{
    const char *rest = NULL;
    return read_number(value, &rest, text) && *rest == '\0';
}

static bool is_within(const ag_param *param, double value)
{
    return value >= param->min && value <= param->max;
}

/* 1e6 is fine while it is whole. Plain digits do not go through a double, which would round those
 * above the table's largest bound, 2^53, into the range. */
static bool read_int(int64_t *value, const ag_param *param, const char *text)
{
    char *end = NULL;
    if (param->words != NULL && strcmp(text, param->words[0]) == 0) {
        *value = 0;
        return true;
    }
    errno = 0;
    *value = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0')
        return *value >= (int64_t)param->min && *value <= (int64_t)param->max;
    double real = 0;
    if (!read_real(&real, text) || !is_within(param, real) || real != floor(real))
        return false;
    *value = (int64_t)real;
    return true;
}

/* Plain steps, or a share of those that the run has: minus its billionths, until they are known. So
 * the experiment file may say it before train.steps, or in another point of an axis. */
static bool read_steps(int64_t *value, const ag_param *param, const char *text)
{
    double percent = 0;
    const char *rest = NULL;
    if (read_int(value, param, text))
        return true;
    if (!read_number(&percent, &rest, text) || strcmp(rest, "%") != 0 || percent < 0 ||
        percent > 100)
        return false;
    *value = -llround(percent * SHARE_PERCENT);
    return true;
}

/* By the row of train.steps, which has the bounds of every number of steps. */
bool ag_steps_read(int64_t *steps, const char *text)
{
    return read_steps(steps, ag_param_find("train.steps"), text);
}

/* A number with a unit of `units` behind it, or none = 0. The unit may be left out. "none" instead
 * of 0 says what is meant. */
static bool read_with_unit(double *value, const char *text, const char *units,
                           const double *factors)
{
    if (strcmp(text, "none") == 0) {
        *value = 0;
        return true;
    }
    const char *rest = NULL;
    if (!read_number(value, &rest, text))
        return false;
    if (*rest == '\0')
        return true;
    const char *unit = strchr(units, *rest);
    if (unit == NULL || rest[1] != '\0')
        return false;
    *value *= factors[unit - units];
    return true;
}

static bool read_duration(double *seconds, const ag_param *param, const char *text)
{
    return read_with_unit(seconds, text, AG_DURATION_UNITS, ag_duration_factors) &&
           is_within(param, *seconds);
}

static bool read_bytes(int64_t *bytes, const ag_param *param, const char *text)
{
    static const double factors[] = {0x1p10, 0x1p20, 0x1p30, 0x1p40};
    double value = 0;
    if (!read_with_unit(&value, text, "KMGT", factors) || !is_within(param, value) ||
        value != floor(value))
        return false;
    *bytes = (int64_t)value;
    return true;
}

bool ag_bool_read(bool *value, const char *text)
{
    static const char *const words[] = {"false", "False", "FALSE", "true", "True", "TRUE"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) != 0)
            continue;
        *value = i >= 3;
        return true;
    }
    return false;
}

/* The next item of "[a, b]" (brackets may be left out), cut to `size`; false at the end. It need
 * not be exact about brackets: the words or numbers inside are. */
static bool next_item(char *item, size_t size, const char **text)
{
    const char *start = *text + strspn(*text, " \t[,");
    size_t length = strcspn(start, " \t],");
    snprintf(item, size, "%.*s", (int)(length < size ? length : size), start);
    *text = start + length;
    return length > 0;
}

/* Only spaces and closing brackets may follow the last item. */
static bool is_list_end(const char *text)
{
    return text[strspn(text, " \t]")] == '\0';
}

/* Exactly two: a third would be a slip, and has no place to go. */
static bool read_pair(double pair[2], const ag_param *param, const char *text)
{
    char item[SHOWN];
    for (size_t i = 0; i < 2; i++) {
        if (!next_item(item, sizeof item, &text) || !read_real(&pair[i], item) ||
            !is_within(param, pair[i]))
            return false;
    }
    return is_list_end(text);
}

static size_t count_words(const char *const *words)
{
    size_t count = 0;
    while (words[count] != NULL)
        count++;
    return count;
}

/* A word that is nearly right is answered with the right one, any other with the whole list. */
static ag_status read_word(int64_t *index, const ag_param *param, const char *text)
{
    size_t count = count_words(param->words);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(param->words[i], text) == 0) {
            *index = (int64_t)i;
            return AG_OK;
        }
    }
    const char *nearest = ag_nearest_word(text, param->words, count);
    if (nearest == NULL)
        return ag_param_refuse(param, text);
    return ag_fail(AG_ERR_INPUT, "%s: '%.*s' is not known; did you mean '%s'?", param->key, SHOWN,
                   text, nearest);
}

static ag_status read_words(int64_t *bits, const ag_param *param, const char *text)
{
    char item[SHOWN];
    const char *rest = text;
    int64_t set = 0;
    if (strcmp(text, "none") == 0)
        rest = "";
    while (next_item(item, sizeof item, &rest)) {
        int64_t index = 0;
        AG_TRY(read_word(&index, param, item));
        set |= INT64_C(1) << index;
    }
    if (!is_list_end(rest))
        return ag_param_refuse(param, text);
    *bits = set;
    return AG_OK;
}

/* Must be UTF-8: it goes into JSON and HDF5, which hold nothing else. */
static ag_status read_text(const ag_param *param, const char **value, const char *text,
                           ag_arena *arena)
{
    json_t *checked = json_string(text);
    if (checked == NULL)
        return ag_fail(AG_ERR_INPUT, "%s: the text is not valid UTF-8", param->key);
    json_decref(checked);
    const char *copy = ag_arena_strdup(arena, text);
    if (copy == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    *value = copy;
    return AG_OK;
}

bool ag_step_list_add(ag_step_list *list, int64_t step)
{
    int64_t to = list->count;
    while (to > 0 && list->at[to - 1] > step)
        to--;
    if (to > 0 && list->at[to - 1] == step)
        return true;
    if (list->count == AG_MOST_STATES)
        return false;
    memmove(&list->at[to + 1], &list->at[to], (size_t)(list->count - to) * sizeof list->at[0]);
    list->at[to] = step;
    list->count++;
    return true;
}

static bool read_step_list(ag_step_list *list, const ag_param *param, const char *text)
{
    char item[SHOWN];
    *list = (ag_step_list){0};
    while (next_item(item, sizeof item, &text)) {
        int64_t step = 0;
        if (!read_steps(&step, param, item) || !ag_step_list_add(list, step))
            return false;
    }
    return is_list_end(text);
}

typedef union value {
    bool truth;
    int64_t whole;
    double real;
    double pair[2];
    ag_step_list list;
} plain_value;

/* Reads into a value beside the run, so that a refused text leaves the run as it was. Several
 * settings come at once, and the message names the first that is wrong. */
static bool read_plain(plain_value *out, size_t *size, const ag_param *param, const char *text)
{
    switch (param->type) {
    case AG_PARAM_BOOL:
        *size = sizeof out->truth;
        return ag_bool_read(&out->truth, text);
    case AG_PARAM_INT:
        *size = sizeof out->whole;
        return read_int(&out->whole, param, text);
    case AG_PARAM_STEPS:
        *size = sizeof out->whole;
        return read_steps(&out->whole, param, text);
    case AG_PARAM_BYTES:
        *size = sizeof out->whole;
        return read_bytes(&out->whole, param, text);
    case AG_PARAM_REAL:
        *size = sizeof out->real;
        return read_real(&out->real, text) && is_within(param, out->real);
    case AG_PARAM_DURATION:
        *size = sizeof out->real;
        return read_duration(&out->real, param, text);
    case AG_PARAM_PAIR:
        *size = sizeof out->pair;
        return read_pair(out->pair, param, text);
    case AG_PARAM_STEP_LIST:
        *size = sizeof out->list;
        return read_step_list(&out->list, param, text);
    default:
        return false;
    }
}

/* Texts and words keep the run as it was when they are refused; numbers are read beside it first.
 */
ag_status ag_param_set(ag_run *run, const ag_param *param, const char *text, ag_arena *arena)
{
    if (param->type == AG_PARAM_TEXT)
        return read_text(param, at(run, param), text, arena);
    if (param->type == AG_PARAM_FORMAT)
        return ag_param_read_format(at(run, param), param, text, arena);
    if (param->type == AG_PARAM_WORD)
        return read_word(at(run, param), param, text);
    if (param->type == AG_PARAM_WORDS)
        return read_words(at(run, param), param, text);
    plain_value parsed;
    size_t size = 0;
    if (!read_plain(&parsed, &size, param, text))
        return ag_param_refuse(param, text);
    memcpy(at(run, param), &parsed, size);
    return AG_OK;
}

/* --- writing */

static const char *write_real(double value, ag_arena *arena)
{
    char text[32];
    ag_json_real(text, value);
    return ag_arena_strdup(arena, text);
}

/* With the brackets that YAML wants. */
static const char *write_pair(const double pair[2], ag_arena *arena)
{
    char first[32];
    char second[32];
    ag_json_real(first, pair[0]);
    ag_json_real(second, pair[1]);
    return ag_arena_printf(arena, "[%s, %s]", first, second);
}

/* In the order of the table. */
static const char *write_words(const ag_param *param, int64_t bits, ag_arena *arena)
{
    const char *chosen[MAX_WORDS + 1] = {NULL};
    size_t count = 0;
    for (size_t i = 0; param->words[i] != NULL && i < MAX_WORDS; i++) {
        if ((bits >> i & 1) != 0)
            chosen[count++] = param->words[i];
    }
    char joined[AG_EXPECTS_SIZE];
    ag_param_join_words(joined, sizeof joined, chosen);
    return ag_arena_printf(arena, "[%s]", joined);
}

/* The largest unit that leaves a whole number, else the number alone. */
static const char *write_duration(double seconds, ag_arena *arena)
{
    if (seconds == 0)
        return "none";
    for (size_t i = AG_DURATION_N_UNITS; i-- > 0;) {
        double factor = ag_duration_factors[i];
        if (fmod(seconds, factor) == 0)
            return ag_arena_printf(arena, "%.0f%c", seconds / factor, AG_DURATION_UNITS[i]);
    }
    return write_real(seconds, arena);
}

/* The largest unit that leaves a whole number, as durations do: what was written 2G comes back as
 * 2G. */
static const char *write_bytes(int64_t bytes, ag_arena *arena)
{
    static const char units[] = {'K', 'M', 'G', 'T'};
    if (bytes == 0)
        return "none";
    int power = 0;
    while (power < 4 && bytes % 1024 == 0) {
        bytes /= 1024;
        power++;
    }
    if (power == 0)
        return ag_arena_printf(arena, "%" PRId64, bytes);
    return ag_arena_printf(arena, "%" PRId64 "%c", bytes, units[power - 1]);
}

/* A share that ag_run_settle has not resolved yet comes back as the percentage it was. */
static const char *write_steps(int64_t steps, ag_arena *arena)
{
    if (steps >= 0)
        return ag_arena_printf(arena, "%" PRId64, steps);
    char percent[32];
    ag_json_real(percent, -(double)steps / SHARE_PERCENT);
    return ag_arena_printf(arena, "%s%%", percent);
}

static const char *write_step_list(const ag_step_list *list, ag_arena *arena)
{
    const char *text = "[";
    for (int64_t i = 0; i < list->count && text != NULL; i++) {
        const char *step = write_steps(list->at[i], arena);
        text =
            step == NULL ? NULL : ag_arena_printf(arena, "%s%s%s", text, i == 0 ? "" : ", ", step);
    }
    return text == NULL ? NULL : ag_arena_printf(arena, "%s]", text);
}

/* What it returns ag_param_set takes, and gets the same value. */
const char *ag_param_get(const ag_run *run, const ag_param *param, ag_arena *arena)
{
    const void *place = (const char *)run + param->offset;
    switch (param->type) {
    case AG_PARAM_BOOL:
        return *(const bool *)place ? "true" : "false";
    case AG_PARAM_INT:
        if (param->words != NULL && *(const int64_t *)place == 0)
            return param->words[0];
        return ag_arena_printf(arena, "%" PRId64, *(const int64_t *)place);
    case AG_PARAM_STEPS:
        return write_steps(*(const int64_t *)place, arena);
    case AG_PARAM_REAL:
        return write_real(*(const double *)place, arena);
    case AG_PARAM_PAIR:
        return write_pair(place, arena);
    case AG_PARAM_WORD:
        return param->words[*(const int64_t *)place];
    case AG_PARAM_WORDS:
        return write_words(param, *(const int64_t *)place, arena);
    case AG_PARAM_TEXT:
    case AG_PARAM_FORMAT:
        return *(const char *const *)place;
    case AG_PARAM_DURATION:
        return write_duration(*(const double *)place, arena);
    case AG_PARAM_BYTES:
        return write_bytes(*(const int64_t *)place, arena);
    case AG_PARAM_STEP_LIST:
        return write_step_list(place, arena);
    }
    return NULL;
}

bool ag_param_takes_list(const ag_param *param)
{
    return param->type == AG_PARAM_PAIR || param->type == AG_PARAM_WORDS ||
           param->type == AG_PARAM_STEP_LIST;
}
