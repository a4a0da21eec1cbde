/* What `altgrad reproduce` says: first whether runs are the same, and where one is not, the first
 * value that differs and what computed it then and now. By the same engine and build nothing may
 * differ, and it is said that something is broken. */
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "reproduce.h"

enum { SHOWN_DIFFERENCES = 5 };

/* Words of the JSON too. */
static const char *const s_verdicts[] = {
    [AG_REPEAT_SAME] = "same", [AG_REPEAT_DIFFERENT] = "different", [AG_REPEAT_FAILED] = "failed"};

/* The first value that differs, in both versions with all digits: a difference in the last bit
 * shows. */
static void add_difference(ag_text *text, const ag_difference *difference)
{
    ag_text_printf(text, "    %s", difference->name);
    if (difference->place[0] != '\0')
        ag_text_printf(text, " at %s", difference->place);
    ag_text_printf(text, ": %s stored, %s now", difference->stored, difference->fresh);
    if (difference->count > 1)
        ag_text_printf(text, "; %lld values differ", (long long)difference->count);
    ag_text_add(text, "\n");
}

/* Another library or build may compute other bits; the same may not. It is the first thing to know,
 * and often the last. */
static void add_machines(ag_text *text, const ag_timing *stored, const ag_timing *fresh)
{
    bool same = strcmp(stored->blas, fresh->blas) == 0 && strcmp(stored->build, fresh->build) == 0;
    if (same)
        ag_text_printf(text,
                       "    by the same %s and altgrad %s (on %s): determinism is broken, or the "
                       "file was changed\n",
                       stored->blas, stored->build, stored->host);
    else
        ag_text_printf(text,
                       "    stored: %s, altgrad %s, on %s\n"
                       "    now:    %s, altgrad %s; the bits may depend on either\n",
                       stored->blas, stored->build, stored->host, fresh->blas, fresh->build);
}

/* Some differences are enough to see what kind it is. */
void ag_reproduce_add_run(ag_text *text, const ag_repeat *repeat)
{
    const ag_comparison *comparison = &repeat->comparison;
    ag_text_printf(text, "%s  %s", repeat->id, s_verdicts[repeat->verdict]);
    if (repeat->verdict == AG_REPEAT_FAILED) {
        ag_text_printf(text, ": %s\n", repeat->reason);
        return;
    }
    if (repeat->verdict == AG_REPEAT_SAME) {
        ag_text_printf(text, ": %zu datasets\n", comparison->n_datasets);
        return;
    }
    ag_text_printf(text, ": %zu of %zu datasets and attributes\n", comparison->n_differences,
                   comparison->n_datasets);
    for (size_t i = 0; i < comparison->n_differences && i < SHOWN_DIFFERENCES; i++)
        add_difference(text, &comparison->differences[i]);
    if (comparison->n_differences > SHOWN_DIFFERENCES)
        ag_text_printf(text, "    and %zu more (--json lists all)\n",
                       comparison->n_differences - SHOWN_DIFFERENCES);
    add_machines(text, &comparison->stored, &comparison->fresh);
}

/* By ag_repeat_outcome. */
static void count(size_t counts[3], const ag_repeat *repeats, size_t n_repeats)
{
    memset(counts, 0, 3 * sizeof *counts);
    for (size_t i = 0; i < n_repeats; i++)
        counts[repeats[i].verdict]++;
}

void ag_reproduce_add_total(ag_text *text, const ag_repeat *repeats, size_t n_repeats)
{
    size_t counts[3];
    count(counts, repeats, n_repeats);
    ag_text_printf(text, "%zu of %zu runs are the same bit for bit", counts[AG_REPEAT_SAME],
                   n_repeats);
    if (counts[AG_REPEAT_DIFFERENT] > 0)
        ag_text_printf(text, ", %zu differ", counts[AG_REPEAT_DIFFERENT]);
    if (counts[AG_REPEAT_FAILED] > 0)
        ag_text_printf(text, ", %zu could not be compared", counts[AG_REPEAT_FAILED]);
    ag_text_add(text, "\n");
}

/* A difference outweighs a failure: it is what this command exists to find. */
int ag_reproduce_exit(const ag_repeat *repeats, size_t n_repeats)
{
    int code = AG_EXIT_OK;
    for (size_t i = 0; i < n_repeats; i++) {
        if (repeats[i].verdict == AG_REPEAT_DIFFERENT)
            return AG_EXIT_FAILED;
        if (repeats[i].verdict == AG_REPEAT_FAILED && code == AG_EXIT_OK)
            code = repeats[i].code;
    }
    return code;
}

/* --- JSON */

/* Who computed it, by which engine and build: the first question about a difference. */
static json_t *machine_of(const ag_timing *timing)
{
    return json_pack("{s:s*, s:s*, s:s*}", "blas", timing->blas, "build", timing->build, "host",
                     timing->host);
}

static json_t *differences_of(const ag_comparison *comparison)
{
    json_t *list = json_array();
    for (size_t i = 0; i < comparison->n_differences; i++) {
        const ag_difference *difference = &comparison->differences[i];
        json_array_append_new(
            list, json_pack("{s:s*, s:s*, s:s*, s:s*, s:I}", "name", difference->name, "place",
                            difference->place, "stored", difference->stored, "now",
                            difference->fresh, "count", (json_int_t)difference->count));
    }
    return list;
}

/* Each kind of outcome has members of its own; "verdict" says which. */
static json_t *run_of(const ag_repeat *repeat)
{
    json_t *run = json_pack("{s:s, s:s, s:o}", "run", repeat->id, "verdict",
                            s_verdicts[repeat->verdict], "stored", machine_of(&repeat->stored));
    if (repeat->verdict == AG_REPEAT_FAILED) {
        json_object_set_new(run, "reason", json_string(repeat->reason));
        return run;
    }
    json_object_set_new(run, "now", machine_of(&repeat->comparison.fresh));
    json_object_set_new(run, "datasets", json_integer((json_int_t)repeat->comparison.n_datasets));
    json_object_set_new(run, "differences", differences_of(&repeat->comparison));
    return run;
}

void ag_reproduce_json(ag_text *text, const char *path, const ag_repeat *repeats, size_t n_repeats)
{
    size_t counts[3];
    count(counts, repeats, n_repeats);
    json_t *runs = json_array();
    for (size_t i = 0; i < n_repeats; i++)
        json_array_append_new(runs, run_of(&repeats[i]));
    json_t *top = json_pack("{s:s*, s:I, s:I, s:I, s:i, s:o}", "file", path, "same",
                            (json_int_t)counts[AG_REPEAT_SAME], "different",
                            (json_int_t)counts[AG_REPEAT_DIFFERENT], "failed",
                            (json_int_t)counts[AG_REPEAT_FAILED], "exit_code",
                            ag_reproduce_exit(repeats, n_repeats), "runs", runs);
    char *dump = json_dumps(top, JSON_INDENT(1));
    if (dump != NULL)
        ag_text_printf(text, "%s\n", dump);
    else
        text->failed = true;
    free(dump);
    json_decref(top);
}
