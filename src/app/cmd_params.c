/* altgrad params: every key of the experiment file, from the tables that read it. The list cannot
 * be wrong or incomplete: a key that is not here is refused by the reader. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "base/text.h"
#include "command_line.h"
#include "run/params.h"
#include "run/run_json.h"

/* Keys that are no parameters of a run but span the grid. */
static const struct {
    const char *key;
    const char *form;
    const char *help;
} s_structure[] = {
    {"altgrad",          "1",                  "version of the file's schema; required"                          },
    {"name",             "text",               "a label of the experiment"                                       },
    {"formats",          "list",               "axis format: names, recipes, or mappings with a name and roles"  },
    {"layer_configs",    "mapping",            "axis layers: name -> format, layer_rules or mixed_precision"     },
    {"seeds",            "count, list, range",
     "axis seed: 6, [1, 2, 42], {from: 10, count: 6}, or until decided"                                          },
    {"axes",             "mapping",            "any other axis: key -> values, or name -> points of several keys"},
    {"exclude",          "list",               "drops the combinations that match every key of an entry"         },
    {"include",          "list",               "adds combinations"                                               },
    {"claims",           "list",               "what is expected, for the runs to judge: docs/statistics.md"     },
    {"compare.baseline", "mapping",            "what a run is compared with: values of some axes"                },
};

/* MAX_ROWS is room for all rows of both tables. */
enum { N_STRUCTURE = sizeof s_structure / sizeof s_structure[0], MAX_ROWS = 128 };

/* The columns, in the order in which they are printed. */
enum { KEY, DEFAULT, VALUES, UNIT, IN_ID, HELP, COLUMNS };

typedef struct row {
    const char *cell[COLUMNS];
    const ag_param *param; /* NULL: of s_structure */
} row;

/* Made before it is printed: columns are as wide as their widest cell. */
typedef struct table {
    size_t count;
    row rows[MAX_ROWS];
} table;

/* Words of the JSON. */
static const char *type_name(ag_param_type type)
{
    static const char *const names[] = {
        [AG_PARAM_BOOL] = "bool",     [AG_PARAM_INT] = "int",
        [AG_PARAM_REAL] = "real",     [AG_PARAM_PAIR] = "pair",
        [AG_PARAM_WORD] = "word",     [AG_PARAM_WORDS] = "words",
        [AG_PARAM_TEXT] = "text",     [AG_PARAM_DURATION] = "duration",
        [AG_PARAM_BYTES] = "bytes",   [AG_PARAM_STEPS] = "steps",
        [AG_PARAM_FORMAT] = "format", [AG_PARAM_STEP_LIST] = "step list",
    };
    return names[type];
}

/* What a user wants to know of a key: does changing it mean that runs are trained again? */
static const char *use_name(ag_param_use use)
{
    static const char *const names[] = {
        [AG_PARAM_USE_IDENTITY] = "yes",
        [AG_PARAM_USE_RUN] = "no",
        [AG_PARAM_USE_DATA] = "by digest",
        [AG_PARAM_USE_EXPERIMENT] = "no",
    };
    return names[use];
}

/* "" instead of a failure: one missing cell is better than no table. */
static const char *expects(const ag_param *param, ag_arena *arena)
{
    char text[256];
    ag_param_expects(text, sizeof text, param);
    const char *copy = ag_arena_strdup(arena, text);
    return copy != NULL ? copy : "";
}

/* Whether `key` is what the user asked for: everything, one key, or what lies below one. */
static bool is_asked(const char *key, const char *asked)
{
    size_t length = asked != NULL ? strlen(asked) : 0;
    return length == 0 ||
           (strncmp(key, asked, length) == 0 && (key[length] == '\0' || key[length] == '.'));
}

/* First what shapes the grid, then the table of parameters in its own order, which is that of an
 * experiment file. */
static void fill(table *t, const char *asked, ag_arena *arena)
{
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    t->count = 0;
    for (size_t i = 0; i < N_STRUCTURE && t->count < MAX_ROWS; i++) {
        if (is_asked(s_structure[i].key, asked))
            t->rows[t->count++] = (row){
                {s_structure[i].key, "", s_structure[i].form, "", "no", s_structure[i].help},
                NULL
            };
    }
    for (size_t i = 0; i < count && t->count < MAX_ROWS; i++) {
        const ag_param *param = &params[i];
        if (is_asked(param->key, asked))
            t->rows[t->count++] = (row){
                {param->key, param->default_text, expects(param, arena), param->unit,
                 use_name(param->use), param->help},
                param
            };
    }
}

/* Where any row is a path, what paths mean. Relative to what is the first question about any path.
 */
static void print_paths(const table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const ag_param *param = t->rows[i].param;
        if (param == NULL || param->type != AG_PARAM_TEXT ||
            (param->use != AG_PARAM_USE_DATA && strcmp(param->key, "output.file") != 0))
            continue;
        puts("\nPaths: data.text, data.bin, data.bin_train, data.bin_val, model.init.file and\n"
             "train.start.file are relative to the experiment file, output.file to the current\n"
             "directory; all that stands on the command line (--set, -o) to the current\n"
             "directory. ~, ~USER, $NAME and ${NAME} are expanded as by a shell; \\$ is a dollar\n"
             "sign. No run id depends on a path.");
        return;
    }
}

/* Where model.init.where is among the rows, what it is good for. It is the one parameter that needs
 * more than a line. */
static void print_where(const table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->rows[i].cell[0], "model.init.where") != 0)
            continue;
        puts("\nmodel.init.where names a run by any axes of the file that holds it, each with one "
             "value:\n"
             "where: {format: BF16, optimizer.lr: 3e-4}. A run with seed s starts from that file's "
             "run\n"
             "with seed s, so k trained models are k replicates of a quantisation (train.steps: "
             "0).\n"
             "With 'seed' among the labels all start from one model; where no random number has a "
             "part\n"
             "in a run, all its seeds are then one run, trained and counted once.");
        return;
    }
}

/* Each column as wide as it must be, since texts grow with every version. */
static void print_table(const table *t)
{
    static const row head = {
        {"KEY", "DEFAULT", "VALUES", "UNIT", "RUN ID", "HELP"},
        NULL
    };
    int width[COLUMNS];
    for (size_t c = 0; c < COLUMNS; c++) {
        width[c] = (int)strlen(head.cell[c]);
        for (size_t i = 0; i < t->count; i++) {
            int length = (int)strlen(t->rows[i].cell[c]);
            width[c] = length > width[c] ? length : width[c];
        }
    }
    for (size_t i = 0; i <= t->count; i++) {
        const row *line = i == 0 ? &head : &t->rows[i - 1];
        for (size_t c = 0; c < HELP; c++)
            printf("%-*s  ", width[c], line->cell[c]);
        printf("%s\n", line->cell[HELP]);
    }
    print_paths(t);
    print_where(t);
}

static void add_member(ag_text *text, const char *name, const char *value)
{
    ag_text_printf(text, ", \"%s\": ", name);
    ag_json_string(text, value);
}

/* Only where there are any: a truth value has none. */
static void add_bounds(ag_text *text, const ag_param *param)
{
    char min[32];
    char max[32];
    if (param->min < param->max) {
        ag_json_real(min, param->min);
        ag_json_real(max, param->max);
        ag_text_printf(text, ", \"min\": %s, \"max\": %s", min, max);
    }
    if (param->words == NULL)
        return;
    ag_text_add(text, ", \"words\": [");
    for (size_t i = 0; param->words[i] != NULL; i++) {
        ag_text_add(text, i > 0 ? ", " : "");
        ag_json_string(text, param->words[i]);
    }
    ag_text_add(text, "]");
}

/* Built whole and printed at once: half a JSON text is none. */
static ag_status print_json(const table *t)
{
    ag_text text;
    ag_text_init(&text);
    for (size_t i = 0; i < t->count; i++) {
        const row *line = &t->rows[i];
        ag_text_add(&text, i == 0 ? "[{\"key\": " : ",\n {\"key\": ");
        ag_json_string(&text, line->cell[KEY]);
        add_member(&text, "type", line->param != NULL ? type_name(line->param->type) : "grid");
        add_member(&text, "default", line->cell[DEFAULT]);
        if (line->param != NULL)
            add_bounds(&text, line->param);
        add_member(&text, "values", line->cell[VALUES]);
        add_member(&text, "unit", line->cell[UNIT]);
        add_member(&text, "run_id", line->cell[IN_ID]);
        add_member(&text, "help", line->cell[HELP]);
        ag_text_add(&text, "}");
    }
    ag_status status = text.failed ? ag_fail(AG_ERR_SYSTEM, "out of memory") : AG_OK;
    if (status == AG_OK)
        printf("%s]\n", text.data);
    ag_text_deinit(&text);
    return status;
}

static const ag_option s_options[] = {
    {"SECTION|KEY", "only this section (model) or key (optimizer.lr)", AG_NO_OPTION},
    { "--json", "for scripts", AG_OPTION_FLAG,                                                                    0, 0, NULL},
};

static const ag_command_line s_line = {
    .command = "params",
    .usage =
        "usage: altgrad params [SECTION|KEY] [--json]\n\n"
        "Every key of the experiment file: default, type and range, unit, and whether it is part\n"
        "of the run id. A key outside the id can change without a run being trained again;\n"
        "'by digest' means that the data or weights it leads to are part of the id.\n\n",
    .column = 15,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes = "\nexample: altgrad params optimizer\n",
};

/* Keys are long and dotted, and slips are common. */
static int unknown_key(const char *asked)
{
    const char *nearest = ag_param_nearest(asked);
    if (nearest == NULL)
        return ag_app_usage("params", "no section or key is called '%s'", asked);
    return ag_app_usage("params", "no section or key is called '%s'; did you mean '%s'?", asked,
                        nearest);
}

int ag_cmd_params(int argc, char **argv)
{
    bool json = false; /* the only option */
    int code = ag_app_read_options(&json, &s_line, argc, argv, NULL);
    if (code >= 0)
        return code;
    const char *asked = argv[optind];
    if (asked != NULL && argv[optind + 1] != NULL)
        return ag_app_usage("params", "one section or key at a time, not also '%s'",
                            argv[optind + 1]);
    if (asked != NULL && asked[0] == '\0')
        return ag_app_usage("params", "an empty name is no section or key");
    ag_arena arena;
    table rows;
    ag_status status = AG_OK;
    ag_arena_init_growing(&arena);
    fill(&rows, asked, &arena);
    if (rows.count > 0 && json)
        status = print_json(&rows);
    else if (rows.count > 0)
        print_table(&rows);
    ag_arena_deinit(&arena);
    return rows.count > 0 ? ag_app_exit(status) : unknown_key(asked);
}
