/* States that a run keeps lie one after another in one block, each as long as its phase asks for:
 * so those behind a step are a beginning of the block, which a checkpoint holds as it lies. */
#include "keep.h"

#include <string.h>

#include "run/phases.h"

static const char s_steps[] = "kept_steps";
static const char s_states[] = "kept_states";

/* What a state of the block begins with. */
typedef struct kept_head {
    int64_t step;
    int64_t updates;
} kept_head;

/* The arrays of a state, behind its head, in bytes. */
typedef struct kept_sizes {
    ag_scale_cursor count; /* of the scales and amaxes */
    size_t scales;
    size_t amaxes;
    size_t weights; /* also of m */
    size_t v;
    size_t lost;
    size_t total; /* with the head */
} kept_sizes;

_Static_assert(sizeof(kept_head) == 16 && sizeof(ag_scale) == 16, "a file has no padding");

static kept_sizes sizes_at(const ag_trainer *trainer, int64_t step)
{
    const ag_train_state *state = &trainer->state;
    const ag_run one = ag_run_in_phase(trainer->run, ag_phase_at(trainer->run, step - 1));
    kept_sizes sizes = {.count = ag_all_scales(&one)};
    sizes.scales = sizes.count.scales * sizeof(ag_scale);
    sizes.amaxes = sizes.count.amaxes * sizeof(float);
    sizes.weights = state->tensors.total * sizeof(float);
    sizes.v = state->n_v * sizeof(float);
    sizes.lost = state->n_lost * sizeof(float);
    size_t bytes =
        sizeof(kept_head) + sizes.scales + sizes.amaxes + 2 * sizes.weights + sizes.v + sizes.lost;
    sizes.total = (bytes + sizeof(kept_head) - 1) / sizeof(kept_head) * sizeof(kept_head);
    return sizes;
}

/* Scales first: they are the widest. */
static void place(ag_kept_state *kept, unsigned char *at, const kept_sizes *sizes)
{
    kept->n_scales = sizes->count.scales;
    kept->n_amaxes = sizes->count.amaxes;
    at += sizeof(kept_head);
    kept->scales = (ag_scale *)(void *)at;
    at += sizes->scales;
    kept->weights = (float *)(void *)at;
    kept->m = (float *)(void *)(at += sizes->weights);
    at += sizes->weights;
    kept->v = sizes->v > 0 ? (float *)(void *)at : NULL;
    at += sizes->v;
    kept->lost = sizes->lost > 0 ? (float *)(void *)at : NULL;
    at += sizes->lost;
    kept->amaxes = (float *)(void *)at;
}

ag_status ag_keep_lay_out(ag_trainer *trainer, ag_layout *layout)
{
    const ag_step_list *asked = &trainer->run->output.states;
    ag_keeper *keeper = &trainer->keeper;
    size_t bytes = 0;
    *keeper = (ag_keeper){.ends = {0}};
    keeper->states = ag_layout_table(layout, (size_t)asked->count * sizeof *keeper->states);
    if (keeper->states == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %lld states", (long long)asked->count);
    for (int64_t i = 0; i < asked->count; i++)
        keeper->ends[i] = bytes += sizes_at(trainer, asked->at[i]).total;
    keeper->block = ag_layout_bytes(layout, bytes);
    if (keeper->block != NULL)
        memset(keeper->block, 0, bytes); /* what lies between two states is part of checkpoints */
    for (int64_t i = 0; i < asked->count && keeper->block != NULL; i++) {
        kept_sizes sizes = sizes_at(trainer, asked->at[i]);
        place(&keeper->states[i], keeper->block + (keeper->ends[i] - sizes.total), &sizes);
    }
    return AG_OK;
}

static void copy_state(ag_kept_state *kept, const ag_train_state *state)
{
    size_t bytes = state->tensors.total * sizeof(float);
    kept->step = state->step;
    kept->updates = state->updates;
    memcpy(kept->weights, state->weights, bytes);
    memcpy(kept->m, state->m, bytes);
    if (kept->v != NULL)
        memcpy(kept->v, state->v, bytes);
    if (kept->lost != NULL)
        memcpy(kept->lost, state->lost, bytes);
    memcpy(kept->scales, state->scales, kept->n_scales * sizeof *kept->scales);
    memcpy(kept->amaxes, state->amaxes, kept->n_amaxes * sizeof *kept->amaxes);
}

static kept_head *head_of(const ag_keeper *keeper, size_t i)
{
    return (kept_head *)(void *)(keeper->block + (i == 0 ? 0 : keeper->ends[i - 1]));
}

void ag_keep_state(ag_trainer *trainer)
{
    ag_keeper *keeper = &trainer->keeper;
    const ag_step_list *asked = &trainer->run->output.states;
    int64_t step = trainer->state.step;
    size_t next = keeper->count;
    if ((int64_t)next == asked->count || asked->at[next] != step)
        return;
    copy_state(&keeper->states[next], &trainer->state);
    *head_of(keeper, next) = (kept_head){step, trainer->state.updates};
    keeper->count++;
}

/* --- in checkpoints */

size_t ag_keep_count(const ag_run *run, int64_t step)
{
    const ag_step_list *asked = &run->output.states;
    size_t count = 0;
    while ((int64_t)count < asked->count && asked->at[count] <= step)
        count++;
    return count;
}

size_t ag_keep_sections(ag_section sections[AG_KEEP_SECTIONS], const ag_trainer *trainer,
                        int64_t step)
{
    size_t count = ag_keep_count(trainer->run, step);
    const ag_keeper *keeper = &trainer->keeper;
    if (count == 0)
        return 0;
    sections[0] = (ag_section){s_states, keeper->block, keeper->ends[count - 1]};
    sections[1] =
        (ag_section){s_steps, (void *)trainer->run->output.states.at, count * sizeof(int64_t)};
    return AG_KEEP_SECTIONS;
}

/* States of steps that are over cannot be had any more. */
ag_status ag_keep_check(const ag_trainer *trainer, ag_checkpoint *checkpoint, int64_t step,
                        const char *path)
{
    int64_t held[AG_MOST_STATES];
    size_t bytes = ag_keep_count(trainer->run, step) * sizeof held[0];
    const ag_section section = {s_steps, held, bytes};
    bool same = ag_checkpoint_size(checkpoint, s_steps) == bytes;
    if (same && bytes > 0)
        AG_TRY(ag_checkpoint_read(checkpoint, &section, 1));
    if (!same || memcmp(held, trainer->run->output.states.at, bytes) != 0)
        return ag_fail(AG_ERR_FILE,
                       "%s: the experiment's output.states asked for other states then", path);
    return AG_OK;
}

void ag_keep_take_up(ag_trainer *trainer, int64_t step)
{
    ag_keeper *keeper = &trainer->keeper;
    keeper->count = ag_keep_count(trainer->run, step);
    for (size_t i = 0; i < keeper->count; i++) {
        keeper->states[i].step = head_of(keeper, i)->step;
        keeper->states[i].updates = head_of(keeper, i)->updates;
    }
}
