/* Reading JSON strictly: every failure names the object and the key. A key that is not known is
 * refused, with the nearest one that is: in an assignment it would otherwise be a setting that is
 * silently not obeyed. */
#include <inttypes.h>
#include <string.h>

#include "params_internal.h"

/* Texts in messages are cut: they may be of any length, and a message is a line. */
enum { SHOWN = 60 };

/* Of two members with one name JSON readers take either; such a text means two things and is
 * refused. */
ag_status ag_json_parse(json_t **out, const char *text, size_t size, const char *what)
{
    json_error_t error;
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (*out == NULL)
        return ag_fail(AG_ERR_INPUT, "%s is not valid JSON: line %d, column %d: %s", what,
                       error.line, error.column, error.text);
    return AG_OK;
}

static size_t count_words(const char *const *words)
{
    size_t count = 0;
    while (words[count] != NULL)
        count++;
    return count;
}

/* The text may be of a later version, or have a slip in it: the nearest key tells which. */
static ag_status fail_unknown(ag_json_at at, const char *key, const char *const *known)
{
    const char *nearest = ag_nearest_word(key, known, count_words(known));
    if (nearest == NULL)
        return ag_fail(AG_ERR_INPUT, "%s: unknown key '%.*s'", at.path, SHOWN, key);
    return ag_fail(AG_ERR_INPUT, "%s: unknown key '%.*s'; did you mean '%s'?", at.path, SHOWN, key,
                   nearest);
}

static bool is_among(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

ag_status ag_json_known(ag_json_at at, const char *const *known)
{
    if (!json_is_object(at.object))
        return ag_fail(AG_ERR_INPUT, "%s: expected an object, {...}", at.path);
    void *i = json_object_iter(at.object);
    for (; i != NULL; i = json_object_iter_next(at.object, i)) {
        const char *key = json_object_iter_key(i);
        if (!is_among(key, known))
            return fail_unknown(at, key, known);
    }
    return AG_OK;
}

ag_status ag_json_member(json_t **out, ag_json_at at, const char *key)
{
    *out = json_object_get(at.object, key);
    if (*out == NULL)
        return ag_fail(AG_ERR_INPUT, "%s: key '%s' is missing", at.path, key);
    return AG_OK;
}

ag_status ag_json_whole(int64_t *out, ag_json_at at, const char *key, int64_t min, int64_t max)
{
    json_t *value = NULL;
    AG_TRY(ag_json_member(&value, at, key));
    *out = json_integer_value(value);
    if (!json_is_integer(value) || *out < min || *out > max)
        return ag_fail(AG_ERR_INPUT, "%s.%s: expected a whole number, %" PRId64 " to %" PRId64,
                       at.path, key, min, max);
    return AG_OK;
}

ag_status ag_json_bool(bool *out, ag_json_at at, const char *key)
{
    json_t *value = NULL;
    AG_TRY(ag_json_member(&value, at, key));
    if (!json_is_boolean(value))
        return ag_fail(AG_ERR_INPUT, "%s.%s: expected true or false", at.path, key);
    *out = json_is_true(value);
    return AG_OK;
}

ag_status ag_json_text(const char **out, ag_json_at at, const char *key)
{
    json_t *value = NULL;
    AG_TRY(ag_json_member(&value, at, key));
    *out = json_string_value(value);
    if (*out == NULL)
        return ag_fail(AG_ERR_INPUT, "%s.%s: expected a string", at.path, key);
    return AG_OK;
}

/* An example instead of the whole list, which may be long: `altgrad params` has it. */
ag_status ag_json_word(int *out, ag_json_at at, const char *key, const char *const *words,
                       size_t count)
{
    const char *word = NULL;
    AG_TRY(ag_json_text(&word, at, key));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0) {
            *out = (int)i;
            return AG_OK;
        }
    }
    return ag_fail(AG_ERR_INPUT, "%s.%s: '%.*s' is not known here; '%s' would be", at.path, key,
                   SHOWN, word, words[0]);
}

/* Exactly as long and in lower case, since ids and digests are compared as texts. */
ag_status ag_json_hex(char *out, ag_json_at at, const char *key, size_t length)
{
    const char *text = NULL;
    AG_TRY(ag_json_text(&text, at, key));
    if (strlen(text) != length || strspn(text, "0123456789abcdef") != length)
        return ag_fail(AG_ERR_INPUT, "%s.%s: expected %zu lower-case hex digits", at.path, key,
                       length);
    memcpy(out, text, length + 1);
    return AG_OK;
}
