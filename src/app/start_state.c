/* Finding a state: whose it is by whatever names a run, then all of it, for its digest. */
#include "start_state.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "chosen_run.h"
#include "start_read.h"

/* "format=BF16 optimizer.betas=[0.9, 0.95]" as its two labels: cuts `text` at the spaces outside of
 * brackets. Returns how many there are; there is room for one a character. */
static size_t split(const char **selectors, char *text)
{
    size_t count = 0;
    int depth = 0;
    bool starts = true;
    for (char *at = text; *at != '\0'; at++) {
        depth += (*at == '[') - (*at == ']');
        if (depth <= 0 && isspace((unsigned char)*at)) {
            *at = '\0';
            starts = true;
            continue;
        }
        if (starts)
            selectors[count++] = at;
        starts = false;
    }
    return count;
}

/* As a name first, which may have spaces. */
static ag_status find_id(char id[AG_ID_LENGTH + 1], const ag_run *run, ag_arena *arena)
{
    const char *given = run->train.start_run;
    char *copy = ag_arena_strdup(arena, given);
    const char **selectors = ag_arena_alloc(arena, (strlen(given) + 1) * sizeof *selectors);
    bool is_name = false;
    if (copy == NULL || selectors == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    AG_TRY(ag_chosen_run_named(&is_name, id, run->train.start_file, given));
    const ag_run_choice choice = {run->train.start_file, selectors, split(selectors, copy)};
    return is_name ? AG_OK : ag_chosen_run_id(id, &choice);
}

static ag_status find(ag_start_found *found, const ag_run *run, ag_arena *arena)
{
    ag_start start;
    ag_run named = *run;
    AG_TRY(find_id(found->run, run, arena));
    named.train.start_run = found->run;
    AG_TRY(ag_start_read(&start, found->digest, &named, arena));
    found->step = start.state.step;
    found->optimizer = start.run.optimizer.type;
    found->has_lost = start.state.lost != NULL;
    return AG_OK;
}

ag_status ag_start_find_here(ag_start_found *found, const ag_run *run, void *context)
{
    ag_arena arena;
    (void)context;
    *found = (ag_start_found){0};
    ag_arena_init_growing(&arena);
    ag_status status = find(found, run, &arena);
    ag_arena_deinit(&arena);
    return status;
}
