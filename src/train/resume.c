/* A run that goes on where it was. A checkpoint shows the run between two steps and before the
 * evaluation that may be due there: no evaluation is lost, none is made twice. Random numbers need
 * no place in it, since each is a function of its step; nor do the initial weights, which are made
 * again from the seed or the given file and compared by their digest. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "keep.h"
#include "next_phase.h"
#include "observe.h"
#include "record/checkpoint.h"
#include "record/record.h"
#include "record/samples.h"
#include "resume.h"
#include "run/phases.h"
#include "snapshot.h"

/* Where a run stands, beside its arrays. */
typedef struct standing {
    int64_t step; /* first: AG_CHECKPOINT_STANDING */
    int64_t updates;
    int64_t evals;
    int64_t outcome;
    char reason[256];
} standing;

/* How long it took so far: the one section that depends on the machine. */
typedef struct seconds {
    double train;
    double eval;
} seconds;

_Static_assert(sizeof(standing) == 288 && sizeof(seconds) == 16, "a file has no padding");
_Static_assert(sizeof(ag_scale) == 16 && offsetof(ag_scale, value) == 8, "as it lies in a file");
_Static_assert(sizeof((standing *)0)->reason == sizeof((ag_record *)0)->reason, "none is cut");

enum { STATE_SECTIONS = 6 };

ag_checkpoint_key ag_trainer_key(const ag_trainer *trainer, const char *id)
{
    ag_checkpoint_key key = {.run_id = id, .digest_initial = trainer->record->digest_initial};
    snprintf(key.kernels, sizeof key.kernels, "%s", trainer->k->name);
    return key;
}

static size_t add_state(ag_section sections[STATE_SECTIONS], const ag_train_state *state)
{
    size_t bytes = state->tensors.total * sizeof(float);
    sections[0] = (ag_section){"weights", state->weights, bytes};
    sections[1] = (ag_section){"m", state->m, bytes};
    sections[2] = (ag_section){"v", state->v, state->n_v * sizeof *state->v};
    sections[3] = (ag_section){"scales", state->scales, state->n_scales * sizeof *state->scales};
    sections[4] = (ag_section){"amaxes", state->amaxes, state->n_amaxes * sizeof *state->amaxes};
    if (state->n_lost == 0)
        return STATE_SECTIONS - 1;
    sections[5] = (ag_section){"c", state->lost, state->n_lost * sizeof *state->lost};
    return STATE_SECTIONS;
}

/* --- writing */

bool ag_trainer_must_save(const ag_trainer *trainer)
{
    const ag_train_hooks *hooks = trainer->hooks;
    return hooks->checkpoint != NULL && hooks->checkpoint_every_s > 0.0 &&
           trainer->state.step > trainer->saved_step &&
           ag_clock_s() - trainer->saved_s >= hooks->checkpoint_every_s;
}

ag_status ag_trainer_write(const ag_trainer *trainer, const char *path,
                           const ag_checkpoint_key *key, const ag_section *more, size_t n_more)
{
    const ag_record *record = trainer->record;
    const ag_train_state *state = &trainer->state;
    standing now = {.step = state->step,
                    .updates = state->updates,
                    .evals = record->evals,
                    .outcome = record->outcome};
    seconds spent = {record->timing.train_s, record->timing.eval_s};
    ag_observe_spec asked = trainer->run->observe;
    snprintf(now.reason, sizeof now.reason, "%s", record->reason);
    ag_section sections[AG_CHECKPOINT_SECTIONS] = {
        {AG_CHECKPOINT_STANDING, &now,   sizeof now  },
        {"seconds",              &spent, sizeof spent},
    };
    size_t count = 2;
    count += add_state(sections + count, state);
    count += ag_observer_sections(sections + count, trainer);
    count += ag_record_sections(sections + count, record, now.step, now.evals);
    count += ag_samples_sections(sections + count, record, now.step);
    count += ag_keep_sections(sections + count, trainer, now.step);
    if (asked.diagnostics != 0)
        sections[count++] = (ag_section){"observed", &asked, sizeof asked};
    for (size_t i = 0; i < n_more; i++)
        sections[count++] = more[i];
    return ag_checkpoint_write(path, key, sections, count);
}

/* With what the run owes to another, where it does. */
static ag_status write_checkpoint(const ag_trainer *trainer)
{
    ag_checkpoint_key key = ag_trainer_key(trainer, trainer->run->id);
    ag_snapshot_origin origin = ag_snapshot_origin_of(&trainer->record->timing);
    const ag_section more = {AG_SNAPSHOT_ORIGIN, &origin, sizeof origin};
    return ag_trainer_write(trainer, trainer->hooks->checkpoint, &key, &more, origin.steps > 0);
}

void ag_trainer_save(ag_trainer *trainer)
{
    if (trainer->hooks->checkpoint == NULL || trainer->state.step == trainer->saved_step)
        return;
    ag_error_clear();
    if (write_checkpoint(trainer) == AG_OK)
        trainer->saved_step = trainer->state.step;
    else
        ag_trainer_say(trainer, AG_LOG_WARNING, "%s: %s %lld", ag_error_message(),
                       "without this checkpoint, the newest is of step",
                       (long long)trainer->saved_step);
    ag_error_clear();
    trainer->saved_s = ag_clock_s();
}

/* --- reading */

/* A checksum proves that the bytes are those that were written, not that they make sense here. */
static ag_status check_standing(const ag_trainer *trainer, const standing *was, const char *path)
{
    const ag_run *run = trainer->run;
    if (was->step < run->train.start_step || was->step > run->train.steps || was->updates < 0 ||
        was->updates > was->step ||
        (was->outcome != AG_OUTCOME_DONE && was->outcome != AG_OUTCOME_DIVERGED) ||
        memchr(was->reason, '\0', sizeof was->reason) == NULL)
        return ag_fail(AG_ERR_FILE, "%s: no run of %lld steps stands at step %lld like this", path,
                       (long long)run->train.steps, (long long)was->step);
    if (was->evals != ag_evaluations_before(run, was->step))
        return ag_fail(AG_ERR_FILE, "%s: has %lld evaluations where eval.every asks for %lld", path,
                       (long long)was->evals, (long long)ag_evaluations_before(run, was->step));
    return AG_OK;
}

static ag_status check_arrays(const ag_trainer *trainer, const standing *was, const char *path)
{
    const ag_run *run = trainer->run;
    const ag_train_state *state = &trainer->state;
    for (int64_t i = 0; i < was->evals; i++) {
        int64_t number = ag_evaluation_number(run, run->train.start_step) + i;
        if (trainer->record->eval_step[i] != number * run->eval.every)
            return ag_fail(AG_ERR_FILE, "%s: was evaluated at other steps than eval.every asks for",
                           path);
    }
    if (memchr(trainer->record->nonfinite, '\0', AG_NONFINITE_SIZE) == NULL)
        return ag_fail(AG_ERR_FILE, "%s: a text in it has no end", path);
    for (size_t i = 0; i < state->n_scales; i++) {
        if (state->scales[i].pushed < 0 || state->scales[i].pushed > was->step)
            return ag_fail(AG_ERR_FILE, "%s: a scale has seen %lld steps of %lld", path,
                           (long long)state->scales[i].pushed, (long long)was->step);
    }
    return AG_OK;
}

/* Samples that were not taken cannot be had without their steps. */
static ag_status check_observed(const ag_trainer *trainer, ag_checkpoint *checkpoint,
                                const char *path)
{
    const ag_observe_spec *asked = &trainer->run->observe;
    ag_observe_spec held;
    const ag_section section = {"observed", &held, sizeof held};
    if (asked->diagnostics == 0)
        return AG_OK;
    AG_TRY(ag_checkpoint_read(checkpoint, &section, 1));
    if (held.quant_every != asked->quant_every || held.diagnostics != asked->diagnostics)
        return ag_fail(AG_ERR_FILE, "%s: the experiment's observe asked for other samples then",
                       path);
    return AG_OK;
}

/* Whoever reads another run's state looks after the samples: they are in other columns there. */
static ag_status read_arrays(ag_trainer *trainer, const ag_saved_state *from, const standing *was)
{
    ag_section arrays[AG_CHECKPOINT_SECTIONS];
    AG_TRY(check_observed(trainer, from->checkpoint, from->path));
    AG_TRY(ag_keep_check(trainer, from->checkpoint, was->step, from->path));
    size_t count = add_state(arrays, &trainer->state);
    count += ag_observer_sections(arrays + count, trainer);
    count += ag_record_sections(arrays + count, trainer->record, was->step, was->evals);
    if (!from->others)
        count += ag_samples_sections(arrays + count, trainer->record, was->step);
    count += ag_keep_sections(arrays + count, trainer, was->step) > 0;
    AG_TRY(ag_checkpoint_read(from->checkpoint, arrays, count));
    ag_keep_take_up(trainer, was->step);
    return check_arrays(trainer, was, from->path);
}

static void take_up(ag_trainer *trainer, const standing *was, const seconds *spent)
{
    ag_record *record = trainer->record;
    trainer->state.step = record->steps = was->step;
    trainer->state.updates = was->updates;
    record->evals = was->evals;
    record->samples.count = ag_samples_before(trainer->run, was->step);
    record->outcome = (ag_outcome)was->outcome;
    memcpy(record->reason, was->reason, sizeof record->reason);
    record->timing.train_s = spent->train;
    record->timing.eval_s = spent->eval;
    trainer->now.step = trainer->now.first_step = trainer->saved_step = was->step;
    trainer->now.loss = was->step > 0 ? record->loss[was->step - 1] : NAN;
    if (was->evals > 0) {
        trainer->now.eval_step = record->eval_step[was->evals - 1];
        trainer->now.val_loss = record->val_loss[was->evals - 1];
        trainer->now.val_loss_hp = record->val_loss_hp[was->evals - 1];
    }
}

ag_status ag_trainer_read(ag_trainer *trainer, const ag_saved_state *from)
{
    standing was;
    seconds spent;
    ag_section first[] = {
        {AG_CHECKPOINT_STANDING, &was,   sizeof was  },
        {"seconds",              &spent, sizeof spent},
    };
    AG_TRY(ag_checkpoint_read(from->checkpoint, first, 2));
    AG_TRY(check_standing(trainer, &was, from->path));
    AG_TRY(ag_trainer_enter(trainer, ag_phase_at(trainer->run, was.step - from->others)));
    AG_TRY(read_arrays(trainer, from, &was));
    take_up(trainer, &was, &spent);
    return AG_OK;
}

static ag_status read_origin(ag_trainer *trainer, ag_checkpoint *checkpoint)
{
    ag_snapshot_origin origin;
    const ag_section section = {AG_SNAPSHOT_ORIGIN, &origin, sizeof origin};
    if (ag_checkpoint_size(checkpoint, AG_SNAPSHOT_ORIGIN) == 0)
        return AG_OK;
    AG_TRY(ag_checkpoint_read(checkpoint, &section, 1));
    return ag_snapshot_note_origin(trainer, &origin);
}

static ag_status load(ag_trainer *trainer)
{
    ag_saved_state from = {.path = trainer->hooks->checkpoint};
    ag_checkpoint_key key = ag_trainer_key(trainer, trainer->run->id);
    AG_TRY(ag_checkpoint_open(&from.checkpoint, from.path, &key));
    if (from.checkpoint == NULL)
        return AG_OK;
    ag_status status = ag_trainer_read(trainer, &from);
    if (status == AG_OK)
        status = read_origin(trainer, from.checkpoint);
    ag_checkpoint_close(from.checkpoint);
    return status;
}

ag_status ag_trainer_restart(ag_trainer *trainer, const float *init)
{
    ag_record *record = trainer->record;
    record->steps = record->evals = 0;
    record->outcome = AG_OUTCOME_DONE;
    record->reason[0] = '\0';
    record->timing = (ag_timing){0};
    trainer->saved_step = 0;
    trainer->now =
        (ag_train_progress){.loss = NAN, .eval_step = -1, .val_loss = NAN, .val_loss_hp = NAN};
    return ag_trainer_begin(trainer, init);
}

static ag_status begin_again(ag_trainer *trainer, const float *init)
{
    const char *ending = ag_checkpoint_set_aside(trainer->hooks->checkpoint);
    ag_trainer_say(trainer, AG_LOG_WARNING, "%s: the run starts from step %lld%s%s",
                   ag_error_message(), (long long)trainer->run->train.start_step,
                   ending != NULL ? "; the file is kept with the ending " : "",
                   ending != NULL ? ending : "");
    ag_error_clear();
    return ag_trainer_restart(trainer, init);
}

/* Own progress first: a trunk is for runs that have none. */
static ag_status find_progress(ag_trainer *trainer, const float *init)
{
    if (trainer->hooks->checkpoint != NULL) {
        trainer->saved_s = ag_clock_s();
        ag_error_clear();
        if (load(trainer) != AG_OK)
            AG_TRY(begin_again(trainer, init));
    }
    if (trainer->saved_step > trainer->run->train.start_step) {
        ag_trainer_say(trainer, AG_LOG_INFO, "resumed at step %lld",
                       (long long)trainer->saved_step);
        return AG_OK;
    }
    return trainer->hooks->trunk.path != NULL ? ag_snapshot_begin(trainer, init) : AG_OK;
}

ag_status ag_trainer_resume(ag_trainer *trainer, const float *init)
{
    if (trainer->hooks == NULL)
        return AG_OK;
    AG_TRY(find_progress(trainer, init));
    return trainer->saved_step > 0 ? ag_trainer_report(trainer) : AG_OK;
}
