/* altgrad prune: removes what of the results nobody needs any more. Without --yes it only lists:
 * nothing that was trained goes without somebody having seen its name. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/commands.h"
#include "base/printable.h"
#include "command_line.h"
#include "results/prune.h"
#include "wrong_file.h"

typedef struct request {
    const char *path;
    bool yes;
    bool json;
} request;

/* Told in the text: each is half of what the command is for. */
static const ag_option s_options[] = {
    {"--yes",  NULL, AG_FLAG(request, yes) },
    {"--json", NULL, AG_FLAG(request, json)},
};

static const ag_command_line s_line = {
    .command = "prune",
    .usage =
        "usage: altgrad prune OUT [--yes] [--json]\n\n"
        "Lists what of the results nobody needs any more, with its size; with --yes it removes\n"
        "that. It never touches a run that the experiment names:\n\n"
        "  orphans       complete runs that the experiment no longer names\n"
        "  checkpoints   of runs that are complete or no longer named; likewise curves and "
        "logs\n"
        "  trunks        first steps that runs have in common, once all runs are complete\n"
        "  damaged       files that 'altgrad run' has set aside\n"
        "  folder        OUT.d, once OUT is complete and holds everything\n\n",
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes =
        "Exit codes: 0 listed or removed, 2 bad input, 3 environment: such as an altgrad that\n"
        "writes these results.\n\n"
        "example: altgrad prune results/quickstart.h5 --yes\n",
};

static const char *const s_kinds[AG_SCRAP_KINDS] = {
    [AG_SCRAP_ORPHAN] = "orphan", [AG_SCRAP_CHECKPOINT] = "checkpoint",
    [AG_SCRAP_CURVE] = "curve",   [AG_SCRAP_LOG] = "log",
    [AG_SCRAP_TRUNK] = "trunk",   [AG_SCRAP_DAMAGED] = "damaged",
    [AG_SCRAP_FOLDER] = "folder"};

/* Sizes in bytes and in a column: what to remove is decided by them. */
static void add_list(ag_text *out, const ag_scraps *scraps, const char *path, bool removed)
{
    for (size_t i = 0; i < scraps->count; i++) {
        const ag_scrap *scrap = &scraps->items[i];
        ag_text_printf(out, "%-10s  %12.0f bytes  %s%s%s\n", s_kinds[scrap->kind], scrap->bytes,
                       scrap->name, scrap->text[0] != '\0' ? "  " : "", scrap->text);
    }
    if (scraps->count == 0)
        ag_text_printf(out, "%s: nothing to remove\n", path);
    else
        ag_text_printf(out, "%s: %.0f bytes %s\n", path, scraps->bytes,
                       removed ? "removed" : "could go; nothing is removed without --yes");
}

/* Names of files in a folder can be anybody's. */
static void print_list(const ag_scraps *scraps, const char *path, bool removed)
{
    ag_text text;
    ag_text_init(&text);
    add_list(&text, scraps, path, removed);
    ag_text_print(&text);
    ag_text_deinit(&text);
}

/* The same list whether or not it was removed, and a member that says which. */
static ag_status print_json(const ag_scraps *scraps, bool removed)
{
    json_t *items = json_array();
    for (size_t i = 0; i < scraps->count; i++) {
        const ag_scrap *scrap = &scraps->items[i];
        json_array_append_new(items, json_pack("{s:s, s:s, s:s, s:I}", "kind", s_kinds[scrap->kind],
                                               "name", scrap->name, "label", scrap->text, "bytes",
                                               (json_int_t)scrap->bytes));
    }
    json_t *all = json_pack("{s:b, s:I, s:o}", "removed", removed, "bytes",
                            (json_int_t)scraps->bytes, "items", items);
    char *text = all != NULL ? json_dumps(all, JSON_INDENT(1)) : NULL;
    json_decref(all);
    if (text == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    puts(text);
    free(text);
    return AG_OK;
}

/* With --yes the list is printed before anything goes: should it fail half-way, the user has it. */
static ag_status prune(const request *asked)
{
    const char *path = asked->path;
    ag_scraps scraps;
    AG_TRY(ag_scraps_list(&scraps, path));
    bool remove = asked->yes && scraps.count > 0;
    if (remove && !asked->json)
        print_list(&scraps, path, false);
    ag_status status = remove ? ag_scraps_remove(&scraps, path) : AG_OK;
    if (status == AG_OK && asked->json)
        status = print_json(&scraps, remove);
    else if (status == AG_OK && remove)
        printf("%s: removed\n", path);
    else if (status == AG_OK)
        print_list(&scraps, path, false);
    ag_scraps_deinit(&scraps);
    return status;
}

int ag_cmd_prune(int argc, char **argv)
{
    request asked = {0};
    int code = ag_app_read_options(&asked, &s_line, argc, argv, NULL);
    if (code < 0)
        code = ag_app_results_argument(&asked.path, &s_line, argc, argv);
    if (code >= 0)
        return code;
    ag_status status = ag_app_expect_results(asked.path);
    return ag_app_exit(status == AG_OK ? prune(&asked) : status);
}
