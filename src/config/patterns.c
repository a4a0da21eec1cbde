/* Patterns of layer rules: PCRE2, since Python's re is what most who write them know. Alone in
 * seeing PCRE2. A pattern of a file may be anybody's: steps are limited, and \C, which could cut a
 * character, is off. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdlib.h>
#include <string.h>

#include "layer_formats.h"

/* Layer names have some 40 characters; a search that needs more steps than this backtracks. */
enum { MATCH_LIMIT = 5000, LONGEST_PATTERN = 1000 };

struct ag_pattern {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
};

/* PCRE2 says where in the pattern it stopped; the caret goes there. */
static void report(ag_findings *findings, const ag_node *node, int error, size_t offset)
{
    PCRE2_UCHAR message[256] = "";
    pcre2_get_error_message(error, message, sizeof message);
    ag_place place = node->place;
    if (offset <= place.length) { /* a quoted pattern with escapes is longer in the file */
        place.offset += offset;
        place.length = 1;
    }
    ag_config_error(findings, place, "pattern '%.100s': %s (at character %zu)", node->text,
                    (const char *)message, offset + 1);
}

/* A length that no layer's name can need; compiling takes time that grows with it. */
static pcre2_code *compile(ag_findings *findings, const ag_node *node)
{
    size_t length = strlen(node->text);
    if (length > LONGEST_PATTERN) {
        ag_config_error(findings, node->place, "a pattern has at most %d characters",
                        LONGEST_PATTERN);
        return NULL;
    }
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)node->text, length, PCRE2_NEVER_BACKSLASH_C,
                                     &error, &offset, NULL);
    if (code == NULL)
        report(findings, node, error, offset);
    return code;
}

/* Compiled once and searched in thousands of names. */
ag_pattern *ag_pattern_compile(ag_findings *findings, const ag_node *node)
{
    pcre2_code *code = compile(findings, node);
    if (code == NULL)
        return NULL;
    ag_pattern *pattern = calloc(1, sizeof *pattern);
    if (pattern == NULL) {
        findings->out_of_memory = true;
        pcre2_code_free(code);
        return NULL;
    }
    pattern->code = code;
    pattern->match = pcre2_match_data_create(1, NULL);
    pattern->context = pcre2_match_context_create(NULL);
    if (pattern->match == NULL || pattern->context == NULL) {
        findings->out_of_memory = true;
        ag_pattern_destroy(pattern);
        return NULL;
    }
    pcre2_set_match_limit(pattern->context, MATCH_LIMIT);
    return pattern;
}

void ag_pattern_destroy(ag_pattern *pattern)
{
    if (pattern == NULL)
        return;
    pcre2_match_context_free(pattern->context);
    pcre2_match_data_free(pattern->match);
    pcre2_code_free(pattern->code);
    free(pattern);
}

/* PCRE2 gives up at the limit of steps, which is an error of the pattern. */
bool ag_pattern_search(const ag_pattern *pattern, const char *name, size_t *end, bool *costly)
{
    int found = pcre2_match(pattern->code, (PCRE2_SPTR)name, strlen(name), 0, 0, pattern->match,
                            pattern->context);
    if (found < 0 && found != PCRE2_ERROR_NOMATCH)
        *costly = true;
    if (found >= 0)
        *end = pcre2_get_ovector_pointer(pattern->match)[1];
    return found >= 0;
}
