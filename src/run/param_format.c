/* A parameter that is a number format: kept as its canonical name, so that one format has one text
 * however it was written. */
#include "numerics/format.h"
#include "params_internal.h"

ag_status ag_param_read_format(const char **value, const ag_param *param, const char *text,
                               ag_arena *arena)
{
    ag_format format;
    if (ag_format_parse(&format, text) != AG_OK) {
        char reason[AG_MESSAGE_SIZE];
        ag_error_take(reason, sizeof reason);
        return ag_fail(AG_ERR_INPUT, "%s: %s", param->key, reason);
    }
    *value = ag_arena_strdup(arena, format.name);
    return *value != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory");
}
