/* Trunks in a trainer. A snapshot is a checkpoint that is not one run's but of all runs whose steps
 * so far are the same: it has P (run/trunk.h) in the place of the run's id, and names the groups of
 * its samples, since runs whose later phases differ have other groups beside the common ones. */
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "next_phase.h"
#include "observer.h"
#include "resume.h"
#include "run/trunk.h"

/* Whose a snapshot is, whole: a checkpoint's header has room for the beginning of P alone. */
typedef struct snapshot_facts {
    char digest[AG_DIGEST_LENGTH + 8];
    char run[16]; /* that was trained */
} snapshot_facts;

/* The columns of a group of samples. */
typedef struct snapshot_group {
    char path[AG_SAMPLED_PATH];
    uint64_t column;
} snapshot_group;

_Static_assert(sizeof(snapshot_facts) == 88 && sizeof(snapshot_group) == 88, "no padding");
_Static_assert(sizeof(ag_snapshot_origin) == 24, "a file has no padding");

static const char s_facts[] = "trunk";
static const char s_groups[] = "groups";

/* P, and its beginning as an id. */
typedef struct prefix {
    char digest[AG_DIGEST_LENGTH + 1];
    char id[AG_ID_LENGTH + 1];
} prefix;

static ag_status prefix_of(prefix *p, const ag_trainer *trainer, int64_t step)
{
    AG_TRY(ag_trunk_digest(p->digest, trainer->run, step));
    memcpy(p->id, p->digest, AG_ID_LENGTH);
    p->id[AG_ID_LENGTH] = '\0';
    return AG_OK;
}

/* --- whose steps they are */

ag_snapshot_origin ag_snapshot_origin_of(const ag_timing *timing)
{
    ag_snapshot_origin origin = {.steps = timing->trunk_steps};
    memcpy(origin.run, timing->trunk_run, sizeof origin.run);
    return origin;
}

ag_status ag_snapshot_note_origin(ag_trainer *trainer, const ag_snapshot_origin *origin)
{
    ag_timing *timing = &trainer->record->timing;
    if (origin->steps <= 0 || origin->steps > trainer->state.step ||
        memchr(origin->run, '\0', sizeof origin->run) == NULL)
        return ag_fail(AG_ERR_FILE, "%s: it began with %lld steps of another run",
                       trainer->hooks->checkpoint, (long long)origin->steps);
    timing->trunk_steps = origin->steps;
    memcpy(timing->trunk_run, origin->run, sizeof timing->trunk_run);
    return AG_OK;
}

/* --- leaving a snapshot */

static ag_status write_snapshot(const ag_trainer *trainer, const char *path)
{
    prefix p;
    snapshot_facts facts = {{0}, {0}};
    const ag_samples *samples = &trainer->record->samples;
    AG_TRY(prefix_of(&p, trainer, trainer->state.step));
    memcpy(facts.digest, p.digest, sizeof p.digest);
    memcpy(facts.run, trainer->run->id, sizeof trainer->run->id);
    snapshot_group *groups = calloc(samples->n_groups + 1, sizeof *groups);
    if (groups == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %s", path);
    for (size_t i = 0; i < samples->n_groups; i++) {
        memcpy(groups[i].path, samples->groups[i].path, sizeof groups[i].path);
        groups[i].column = samples->groups[i].column;
    }
    const ag_section more[] = {
        {s_facts,  &facts, sizeof facts                      },
        {s_groups, groups, samples->n_groups * sizeof *groups},
    };
    ag_checkpoint_key key = ag_trainer_key(trainer, p.id);
    ag_status status = ag_trainer_write(trainer, path, &key, more, 2);
    free(groups);
    return status;
}

void ag_snapshot_keep(ag_trainer *trainer)
{
    const ag_train_hooks *hooks = trainer->hooks;
    for (size_t i = 0; hooks != NULL && i < hooks->n_keep; i++) {
        const ag_snapshot *asked = &hooks->keep[i];
        if (asked->step != trainer->state.step || trainer->record->outcome != AG_OUTCOME_DONE)
            continue;
        ag_error_clear();
        if (write_snapshot(trainer, asked->path) != AG_OK)
            ag_trainer_say(trainer, AG_LOG_WARNING,
                           "%s: runs that share these steps train them again", ag_error_message());
        ag_error_clear();
    }
}

/* --- beginning with one */

/* The samples of a snapshot, until they are in the columns of this run. */
typedef struct foreign {
    size_t n_groups;
    snapshot_group *groups;
    size_t width;
    size_t rows;
    double *values; /* [rows, width] */
} foreign;

static const snapshot_group *find_group(const foreign *f, const char *path)
{
    for (size_t i = 0; i < f->n_groups; i++) {
        if (strncmp(f->groups[i].path, path, sizeof f->groups[i].path) == 0)
            return &f->groups[i];
    }
    return NULL;
}

static void place_group(const ag_samples *samples, const ag_sampled *group, const foreign *f,
                        const snapshot_group *had)
{
    for (size_t row = 0; row < f->rows; row++) {
        double *to = samples->values + row * samples->width + group->column;
        if (had != NULL)
            memcpy(to, f->values + row * f->width + had->column, group->n_metrics * sizeof *to);
        else
            ag_observe_absent(to, group);
    }
}

static ag_status place_samples(ag_trainer *trainer, const foreign *f, const char *path)
{
    const ag_samples *samples = &trainer->record->samples;
    size_t row = 0;
    for (int64_t step = 0; row < f->rows; step++) {
        if (ag_samples_due(trainer->run, step))
            samples->step[row++] = step;
    }
    for (size_t i = 0; i < samples->n_groups; i++) {
        const ag_sampled *group = &samples->groups[i];
        const snapshot_group *had = find_group(f, group->path);
        if (had != NULL && (had->column > f->width || group->n_metrics > f->width - had->column))
            return ag_fail(AG_ERR_FILE, "%s: %s is not among its samples", path, group->path);
        place_group(samples, group, f, had);
    }
    return AG_OK;
}

/* A run without groups has no samples either. */
static ag_status read_samples(foreign *f, const ag_saved_state *from)
{
    size_t bytes = ag_checkpoint_size(from->checkpoint, s_groups);
    size_t samples = ag_checkpoint_size(from->checkpoint, "samples");
    f->n_groups = bytes / sizeof *f->groups;
    f->width = f->rows > 0 ? samples / sizeof *f->values / f->rows : 0;
    f->groups = malloc(bytes + 1);
    f->values = malloc(samples + 1);
    if (f->groups == NULL || f->values == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %s", from->path);
    const ag_section sections[] = {
        {s_groups,  f->groups, bytes                                 },
        {"samples", f->values, f->rows * f->width * sizeof *f->values},
    };
    return ag_checkpoint_read(from->checkpoint, sections, samples > 0 ? 2 : 1);
}

static ag_status read_snapshot(ag_trainer *trainer, const ag_saved_state *from, foreign *f)
{
    int64_t step = trainer->hooks->trunk.step;
    f->rows = (size_t)ag_samples_before(trainer->run, step);
    AG_TRY(read_samples(f, from));
    AG_TRY(ag_trainer_read(trainer, from));
    if (trainer->state.step != step)
        return ag_fail(AG_ERR_FILE, "%s: of step %lld, not of %lld", from->path,
                       (long long)trainer->state.step, (long long)step);
    return place_samples(trainer, f, from->path);
}

static ag_status take_over(ag_trainer *trainer, const prefix *p, const ag_saved_state *from)
{
    snapshot_facts facts;
    ag_snapshot_origin origin = {.steps = trainer->hooks->trunk.step};
    foreign f = {0};
    const ag_section section = {s_facts, &facts, sizeof facts};
    AG_TRY(ag_checkpoint_read(from->checkpoint, &section, 1));
    if (memcmp(facts.digest, p->digest, sizeof p->digest) != 0)
        return ag_fail(AG_ERR_FILE, "%s: of steps that differ from those of this run", from->path);
    ag_status status = read_snapshot(trainer, from, &f);
    free(f.groups);
    free(f.values);
    AG_TRY(status);
    memcpy(origin.run, facts.run, sizeof origin.run);
    AG_TRY(ag_snapshot_note_origin(trainer, &origin));
    return ag_trainer_follow(trainer);
}

static ag_status load(ag_trainer *trainer)
{
    prefix p;
    const ag_snapshot *trunk = &trainer->hooks->trunk;
    ag_saved_state from = {.path = trunk->path, .others = true};
    if (trunk->step <= trainer->run->train.start_step || trunk->step >= trainer->run->train.steps)
        return ag_fail(AG_ERR_FILE, "%s: step %lld is not inside this run", trunk->path,
                       (long long)trunk->step);
    AG_TRY(prefix_of(&p, trainer, trunk->step));
    ag_checkpoint_key key = ag_trainer_key(trainer, p.id);
    AG_TRY(ag_checkpoint_open(&from.checkpoint, from.path, &key));
    if (from.checkpoint == NULL)
        return ag_fail(AG_ERR_FILE, "%s: is not there", from.path);
    ag_status status = take_over(trainer, &p, &from);
    ag_checkpoint_close(from.checkpoint);
    return status;
}

ag_status ag_snapshot_begin(ag_trainer *trainer, const float *init)
{
    ag_error_clear();
    if (load(trainer) == AG_OK) {
        ag_trainer_say(trainer, AG_LOG_INFO, "begins at step %lld with the steps of run %s",
                       (long long)trainer->saved_step, trainer->record->timing.trunk_run);
        return AG_OK;
    }
    ag_trainer_say(trainer, AG_LOG_WARNING, "%s: the run starts from step %lld", ag_error_message(),
                   (long long)trainer->run->train.start_step);
    ag_error_clear();
    return ag_trainer_restart(trainer, init);
}
