/* altgrad check: is anything of an experiment's results damaged? The work is ag_check_results';
 * this is how it is told: a line per finding, a line that sums up, and the cure. The exit code
 * tells apart what can be healed by training again and what needs an administrator. */
#include <jansson.h>
#include <stdio.h>

#include "app/commands.h"
#include "base/printable.h"
#include "command_line.h"
#include "results/check.h"
#include "wrong_file.h"

static const ag_option s_options[] = {
    {"--json", "the same as JSON", AG_OPTION_FLAG, 0, 0, NULL},
};

static const ag_command_line s_line = {
    .command = "check",
    .usage =
        "usage: altgrad check OUT [--json]\n\n"
        "Reads every byte of the results and of the folder beside them: checksums of files and of\n"
        "every array and text of every run, whether the runs of the grid are there, checkpoints,\n"
        "events, notes, and what a killed altgrad left. It changes nothing. It prints one line "
        "per\n"
        "finding, then a summary line.\n\n",
    .column = 11,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes =
        "\n'altgrad run' on the experiment repairs it: the good runs stay, damaged files are "
        "moved\n"
        "to OUT.d/damaged, and their runs are trained again.\n\n"
        "Exit codes: 0 nothing is damaged (runs may be pending), 1 something is, 2 bad command\n"
        "line or no such file, 3 something cannot be read, or the file is not altgrad's.\n\n"
        "example: altgrad check results/quickstart.h5\n",
};

/* Said once at the end, however much is damaged: it cures all of it. */
static const char s_cure[] =
    "'altgrad run' on the experiment keeps the good runs, moves what is damaged aside and "
    "trains the others again: altgrad run FILE -o ";

/* Words of the JSON too, which scripts compare. */
static const char *kind_name(ag_finding_kind kind)
{
    if (kind == AG_FINDING_DAMAGED)
        return "damaged";
    return kind == AG_FINDING_UNREADABLE ? "unreadable" : "note";
}

/* Findings are few. */
static size_t count_kind(const ag_check *check, ag_finding_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < check->n_findings; i++)
        count += check->findings[i].kind == kind;
    return count;
}

/* Only what there is: a healthy file gets a short line. */
static void add_count(ag_text *out, size_t count, const char *what)
{
    if (count > 0)
        ag_text_printf(out, ", %zu %s", count, what);
}

/* The last line is for a log or a mail: it says everything that matters without the ones above. */
static void add_report(ag_text *out, const ag_check *check, const char *path)
{
    size_t damage = count_kind(check, AG_FINDING_DAMAGED);
    size_t unreadable = count_kind(check, AG_FINDING_UNREADABLE);
    for (size_t i = 0; i < check->n_findings; i++) {
        const ag_finding *finding = &check->findings[i];
        ag_text_printf(out, "%s: %s%s%s%s\n", kind_name(finding->kind),
                       finding->run[0] != '\0' ? "run " : "", finding->run,
                       finding->run[0] != '\0' ? ": " : "", finding->text);
    }
    ag_text_printf(out, "%s (%s): %zu of %zu runs are complete and good", path,
                   check->packed ? "packed" : "spooled", check->complete, check->n_runs);
    if (check->diverged > 0)
        ag_text_printf(out, " (%zu done, %zu diverged)", check->complete - check->diverged,
                       check->diverged);
    add_count(out, check->damaged, "damaged");
    add_count(out, check->unreadable, "unreadable");
    add_count(out, check->failed, "failed");
    add_count(out, check->pending, "pending");
    add_count(out, check->orphans, "that the experiment no longer names");
    if (damage > 0)
        ag_text_printf(out, "; %zu thing%s damaged", damage, damage == 1 ? " is" : "s are");
    if (unreadable > 0)
        ag_text_printf(out, "; %zu thing%s not be read", unreadable,
                       unreadable == 1 ? " can" : "s can");
    ag_text_add(out, damage + unreadable == 0 ? "; nothing is damaged\n" : "\n");
    if (check->heals)
        ag_text_printf(out, "cure: %s%s\n", s_cure, path);
}

/* Paths, and reasons that quote what the file holds, are somebody else's. */
static int print_text(const ag_check *check, const char *path)
{
    ag_text text;
    ag_text_init(&text);
    add_report(&text, check, path);
    bool printed = ag_text_print(&text);
    ag_text_deinit(&text);
    return printed ? AG_EXIT_OK : ag_app_exit(ag_fail(AG_ERR_SYSTEM, "cannot write the report"));
}

/* Numbers of every kind, also 0, since a script should not have to ask whether a key is there. */
static int print_json(const ag_check *check, const char *path)
{
    json_t *findings = json_array();
    for (size_t i = 0; i < check->n_findings; i++) {
        const ag_finding *f = &check->findings[i];
        json_array_append_new(findings, json_pack("{s:s, s:s, s:s}", "kind", kind_name(f->kind),
                                                  "run", f->run, "text", f->text));
    }
    json_t *object = json_pack(
        "{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "file", path, "packed",
        (int)check->packed, "runs", (json_int_t)check->n_runs, "complete",
        (json_int_t)check->complete, "done", (json_int_t)(check->complete - check->diverged),
        "diverged", (json_int_t)check->diverged, "damaged", (json_int_t)check->damaged,
        "unreadable", (json_int_t)check->unreadable, "failed", (json_int_t)check->failed, "pending",
        (json_int_t)check->pending, "orphans", (json_int_t)check->orphans, "findings", findings);
    bool written = object != NULL && json_dumpf(object, stdout, JSON_INDENT(1)) == 0;
    json_decref(object);
    putchar('\n');
    return written ? AG_EXIT_OK : ag_app_exit(ag_fail(AG_ERR_SYSTEM, "cannot write the JSON"));
}

/* What is damaged outweighs what cannot be read, as it will not get better by itself. */
static int check_file(const char *path, bool as_json)
{
    ag_check check;
    int code = ag_app_exit(ag_check_results(&check, path));
    if (code == AG_EXIT_OK) {
        code = as_json ? print_json(&check, path) : print_text(&check, path);
        if (code == AG_EXIT_OK && count_kind(&check, AG_FINDING_DAMAGED) > 0)
            code = AG_EXIT_FAILED;
        else if (code == AG_EXIT_OK && count_kind(&check, AG_FINDING_UNREADABLE) > 0)
            code = AG_EXIT_SYSTEM;
    }
    ag_check_deinit(&check);
    return code;
}

int ag_cmd_check(int argc, char **argv)
{
    const char *path = NULL;
    bool json = false; /* the only option */
    int code = ag_app_read_options(&json, &s_line, argc, argv, NULL);
    if (code < 0)
        code = ag_app_results_argument(&path, &s_line, argc, argv);
    if (code >= 0)
        return code;
    ag_status status = ag_app_expect_results(path);
    return status == AG_OK ? check_file(path, json) : ag_app_exit(status);
}
