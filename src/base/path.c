/* Paths as users write them. The experiment file is no shell script, but people write ~ and $HOME
 * in it all the same; a variable that is not set is an error here, where a shell would take it for
 * nothing and read some other file. */
#include "base/path.h"

#include <ctype.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* The length of a variable's name as POSIX has it: letters, digits and _, no digit first. */
static size_t name_length(const char *text)
{
    size_t length = 0;
    while (isalnum((unsigned char)text[length]) || text[length] == '_')
        length++;
    return isdigit((unsigned char)text[0]) ? 0 : length;
}

/* The value is taken as it is: what it holds is not expanded again, as a shell would not. */
static ag_status add_variable(ag_text *to, const char *name, size_t length, const char *path)
{
    char text[256];
    if (length >= sizeof text)
        return ag_fail(AG_ERR_INPUT, "'%s': the name of a variable is too long", path);
    memcpy(text, name, length);
    text[length] = '\0';
    const char *value = getenv(text);
    if (value == NULL)
        return ag_fail(AG_ERR_INPUT,
                       "'%s': the environment variable %s is not set; set it (export %s=...), or "
                       "write \\$ for a dollar sign",
                       path, text, text);
    ag_text_add(to, value);
    return AG_OK;
}

/* At a dollar sign; *at goes behind what it stands for. */
static ag_status expand_dollar(ag_text *to, const char **at, const char *path)
{
    const char *name = *at + 1;
    const bool braces = *name == '{';
    name += braces;
    const size_t length = name_length(name);
    if (length > 0 && (!braces || name[length] == '}')) {
        *at = name + length + braces;
        return add_variable(to, name, length, path);
    }
    if (!braces && (*name == '\0' || *name == '/')) { /* as in a shell */
        ag_text_add(to, "$");
        (*at)++;
        return AG_OK;
    }
    return ag_fail(AG_ERR_INPUT,
                   "'%s': expected $NAME or ${NAME} at '%.20s', or \\$ for a dollar sign", path,
                   *at);
}

/* At a leading tilde. */
static ag_status expand_home(ag_text *to, const char **at, const char *path)
{
    const size_t length = strcspn(path + 1, "/");
    const char *home = getenv("HOME");
    const struct passwd *user = NULL;
    ag_text name;
    ag_text_init(&name);
    ag_text_add_n(&name, path + 1, length);
    if (length > 0 || home == NULL || home[0] == '\0') {
        user = length > 0 ? getpwnam(name.data) : NULL;
        home = user != NULL ? user->pw_dir : NULL;
    }
    ag_text_deinit(&name);
    if (home == NULL)
        return ag_fail(AG_ERR_INPUT,
                       length > 0 ? "'%s': no user has this name; write ./~ for a name that begins "
                                    "so"
                                  : "'%s': HOME is not set, so ~ means nothing; write the whole "
                                    "path",
                       path);
    ag_text_add(to, home);
    *at = path + 1 + length;
    return AG_OK;
}

/* A backslash keeps the character that would be expanded; anywhere else it is itself. */
static ag_status expand(ag_text *to, const char *path)
{
    const char *at = path;
    if (*at == '~')
        AG_TRY(expand_home(to, &at, path));
    while (*at != '\0') {
        const bool is_quoted = at[0] == '\\' && (at[1] == '$' || (at[1] == '~' && at == path));
        if (*at == '$') {
            AG_TRY(expand_dollar(to, &at, path));
            continue;
        }
        at += is_quoted;
        ag_text_add_n(to, at++, 1);
    }
    return AG_OK;
}

/* Most paths have nothing to expand, and are passed on without a copy. */
ag_status ag_path_expand(const char **out, const char *path, ag_arena *arena)
{
    *out = path;
    if (path[0] != '~' && strchr(path, '$') == NULL && strncmp(path, "\\~", 2) != 0)
        return AG_OK;
    ag_text text;
    ag_text_init(&text);
    ag_status status = expand(&text, path);
    if (status == AG_OK) {
        *out = text.failed ? NULL : ag_arena_strdup(arena, text.data);
        if (*out == NULL)
            status = ag_fail(AG_ERR_SYSTEM, "out of memory for a path");
    }
    ag_text_deinit(&text);
    return status;
}

/* A folder whose name has a star is no pattern: its characters are quoted for glob(). */
const char *ag_path_after(const char *folder, const char *path, bool is_pattern, ag_arena *arena)
{
    if (path[0] == '/')
        return path;
    ag_text text;
    ag_text_init(&text);
    for (const char *at = folder; *at != '\0'; at++) {
        if (is_pattern && strchr("*?[]\\", *at) != NULL)
            ag_text_add(&text, "\\");
        ag_text_add_n(&text, at, 1);
    }
    ag_text_printf(&text, "/%s", path);
    const char *copy = text.failed ? NULL : ag_arena_strdup(arena, text.data);
    ag_text_deinit(&text);
    return copy;
}
