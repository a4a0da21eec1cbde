/* What a parameter takes, in words: for messages and `altgrad params`. */
#include <stdio.h>
#include <string.h>

#include "params_internal.h"
#include "run/run_json.h"

void ag_param_join_words(char *out, size_t size, const char *const *words)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; words != NULL && words[i] != NULL && used < size; i++) {
        int length = snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "", words[i]);
        used += length > 0 ? (size_t)length : 0;
    }
}

/* Bounds as the shortest decimals, as a user would write them. */
static void expects_bounded(char *text, size_t size, const char *what, const ag_param *param)
{
    char min[32];
    char max[32];
    ag_json_real(min, param->min);
    ag_json_real(max, param->max);
    snprintf(text, size, "%s, %s to %s", what, min, max);
}

/* These words stand in messages, in `altgrad params` and in the README: what is accepted is said
 * once. */
void ag_param_expects(char *text, size_t size, const ag_param *param)
{
    char words[AG_EXPECTS_SIZE];
    ag_param_join_words(words, sizeof words, param->words);
    switch (param->type) {
    case AG_PARAM_BOOL:
        snprintf(text, size, "true or false");
        break;
    case AG_PARAM_INT:
        expects_bounded(text, size, "whole number", param);
        if (words[0] != '\0')
            snprintf(text + strlen(text), size - strlen(text), ", or %s", words);
        break;
    case AG_PARAM_STEPS:
        snprintf(text, size, "whole number, 0 to %.0f, or a share of train.steps such as 5%%",
                 param->max);
        break;
    case AG_PARAM_REAL:
        expects_bounded(text, size, "number", param);
        break;
    case AG_PARAM_PAIR:
        expects_bounded(text, size, "[number, number]", param);
        break;
    case AG_PARAM_WORD:
        snprintf(text, size, "one of %s", words);
        break;
    case AG_PARAM_WORDS:
        snprintf(text, size, words[0] != '\0' ? "list of %s" : "an empty list, []", words);
        break;
    case AG_PARAM_TEXT:
        snprintf(text, size, "%s",
                 param->offset == offsetof(ag_run, model.init_where) ? "mapping of axes to values"
                                                                     : "text");
        break;
    case AG_PARAM_FORMAT:
        snprintf(text, size, "number format such as bf16, e5m2 or fp32");
        break;
    case AG_PARAM_STEP_LIST:
        snprintf(text, size,
                 "list of at most %d whole numbers or shares of train.steps such as 50%%",
                 AG_MOST_STATES);
        break;
    case AG_PARAM_DURATION:
        snprintf(text, size, "duration such as 90s, 10m, 2h or 1d, or none");
        break;
    case AG_PARAM_BYTES:
        snprintf(text, size, "size such as 512M or 2G, or none");
        break;
    }
}

/* yes, no, on and off are truth values in YAML 1.1 and words in 1.2: whoever wrote one deserves to
 * be told. */
ag_status ag_param_refuse(const ag_param *param, const char *text)
{
    char expects[AG_EXPECTS_SIZE + 32];
    ag_param_expects(expects, sizeof expects, param);
    return ag_fail(AG_ERR_INPUT, "%s: '%.*s' is not valid: expected %s%s", param->key,
                   AG_SHOWN_OF_TEXT, text, expects,
                   param->type == AG_PARAM_BOOL ? " (yes, no, on and off are words)" : "");
}
