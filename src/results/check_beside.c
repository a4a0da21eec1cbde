/* What lies beside the results: nothing of it is needed to read a result, and so whatever is wrong
 * with it is told with what it costs, which is never a run that was completed. */
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/files.h"
#include "base/text.h"
#include "checker.h"
#include "record/checkpoint.h"
#include "run/trunk.h"
#include "spool/ids.h"
#include "spool/notes.h"
#include "spool/owner.h"
#include "spool/places.h"

/* A packed file has them inside. */
static ag_status check_facts(ag_checker *c)
{
    ag_facts facts;
    if (c->check->packed && !ag_is_file(c->places.facts))
        return AG_OK;
    return ag_check_find_failure(c, ag_notes_read_facts(&facts, c->places.facts, &c->check->arena));
}

/* The beginning of a line that may hold anything. It goes to a terminal. */
static void excerpt(char text[64], const char *line, size_t length)
{
    size_t count = length < 63 ? length : 63;
    memcpy(text, line, count);
    for (size_t i = 0; i < count; i++) {
        if (text[i] < ' ' || text[i] > '~')
            text[i] = '?';
    }
    text[count] = '\0';
}

/* A cut last line is what a kill leaves, and is told without alarm: nothing depends on events. */
static ag_status check_event(ag_checker *c, const char *line, size_t length, size_t number)
{
    char shown[64];
    json_error_t error;
    json_t *event = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
    bool good = json_is_object(event) && json_is_string(json_object_get(event, "event"));
    json_decref(event);
    excerpt(shown, line, length);
    return good
               ? AG_OK
               : ag_check_find(c, AG_FINDING_DAMAGED, "",
                               "%s:%zu: not an event: '%s'; it is only for people, nothing is lost",
                               c->places.events, number, shown);
}

static ag_status check_events(ag_checker *c)
{
    ag_text text;
    ag_status status = AG_OK;
    if (!ag_is_file(c->places.events))
        return AG_OK;
    ag_text_init(&text);
    ag_status read = ag_read_whole(&text, c->places.events);
    const char *end = text.data + text.length;
    size_t number = 0;
    for (const char *at = text.data; read == AG_OK && at < end && status == AG_OK;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline != NULL ? newline : end) - at);
        status = check_event(c, at, length, ++number);
        at += length + 1;
    }
    ag_text_deinit(&text);
    return status != AG_OK ? status : ag_check_find_failure(c, read);
}

/* A damaged checkpoint is no damaged result: the run begins anew, and that is said with it. */
static ag_status check_checkpoints(ag_checker *c)
{
    char path[AG_PATH_SIZE];
    ag_ids ids;
    AG_TRY(ag_list_ids(&ids, c->places.checkpoints, "", &c->check->arena));
    for (size_t i = 0; i < ids.count; i++) {
        AG_TRY(ag_path_join(path, c->places.checkpoints, ids.id[i]));
        if (ag_checkpoint_verify(path, ids.id[i]) == AG_OK)
            continue;
        AG_TRY(ag_check_find(c, AG_FINDING_DAMAGED, ids.id[i], "%s; the run begins anew",
                             ag_error_message()));
        ag_error_clear();
    }
    return AG_OK;
}

/* Named by their digest, of which the header has the beginning in the place of a run's id. */
static ag_status check_trunk(ag_checker *c, const char *name)
{
    char path[AG_PATH_SIZE];
    char id[AG_ID_LENGTH + 1];
    snprintf(id, sizeof id, "%s", name);
    AG_TRY(ag_path_join(path, c->places.trunks, name));
    if (ag_checkpoint_verify(path, id) == AG_OK)
        return AG_OK;
    AG_TRY(ag_check_find(c, AG_FINDING_DAMAGED, "",
                         "%s; the runs that share its steps train them themselves",
                         ag_error_message()));
    ag_error_clear();
    return AG_OK;
}

static ag_status check_trunks(ag_checker *c)
{
    DIR *folder = opendir(c->places.trunks);
    ag_status status = AG_OK;
    if (folder == NULL)
        return AG_OK;
    for (struct dirent *entry; status == AG_OK && (entry = readdir(folder)) != NULL;) {
        if (ag_trunk_step(entry->d_name) > 0)
            status = check_trunk(c, entry->d_name);
    }
    closedir(folder);
    return status;
}

static ag_status check_failures(ag_checker *c)
{
    char path[AG_PATH_SIZE];
    ag_ids ids;
    AG_TRY(ag_list_ids(&ids, c->places.failed, ".json", &c->check->arena));
    for (size_t i = 0; i < ids.count; i++) {
        snprintf(path, sizeof path, "%.*s/%s.json", AG_PATH_SIZE - 32, c->places.failed, ids.id[i]);
        json_t *note = json_load_file(path, 0, NULL);
        bool good = json_is_string(json_object_get(note, "reason"));
        json_decref(note);
        if (!good)
            AG_TRY(ag_check_find(c, AG_FINDING_DAMAGED, ids.id[i],
                                 "%s: damaged: why the run failed is lost", path));
    }
    return AG_OK;
}

/* While somebody writes, a run file may be replaced between two looks at it. The finding tells how
 * to read the others. */
static ag_status note_owner(ag_checker *c)
{
    ag_owner_view owner;
    ag_owner_look(&owner, &c->places);
    if (owner.life == AG_LIFE_NONE && ag_is_file(c->places.owner))
        return ag_check_find(
            c, AG_FINDING_DAMAGED, "",
            "%s: damaged: who writes here cannot be told; 'altgrad run --take-over' "
            "replaces it",
            c->places.owner);
    if (owner.life == AG_LIFE_HERE || owner.life == AG_LIFE_ELSEWHERE)
        return ag_check_find(
            c, AG_FINDING_NOTE, "",
            "%s is being written (host %s, pid %ld%s): what is not finished may look damaged",
            c->places.results, owner.host, owner.pid, owner.where);
    return AG_OK;
}

static ag_status note_files(ag_checker *c, const char *path, const char *suffix, const char *what)
{
    DIR *folder = opendir(path);
    ag_status status = AG_OK;
    if (folder == NULL)
        return AG_OK;
    for (struct dirent *entry; status == AG_OK && (entry = readdir(folder)) != NULL;) {
        size_t length = strlen(entry->d_name);
        size_t end = strlen(suffix);
        if (entry->d_name[0] != '.' && length >= end &&
            strcmp(entry->d_name + length - end, suffix) == 0)
            status = ag_check_find(c, AG_FINDING_NOTE, "", "%s/%s: %s", path, entry->d_name, what);
    }
    closedir(folder);
    return status;
}

/* The same folders in which ag_leftovers_remove looks. */
static ag_status note_leftovers(ag_checker *c)
{
    static const char killed[] = "left by a killed altgrad; the next 'altgrad run' removes it";
    const ag_places *places = &c->places;
    const char *const parts[] = {places->folder, places->runs, places->failed, places->checkpoints,
                                 places->trunks};
    const char *const folders[] = {places->runs_old, places->runs_new};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        AG_TRY(note_files(c, parts[i], AG_TEMPORARY, killed));
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        if (ag_is_folder(folders[i]))
            AG_TRY(ag_check_find(c, AG_FINDING_NOTE, "", "%s: %s", folders[i], killed));
    }
    return note_files(c, places->damaged, "", "was found damaged and set aside");
}

ag_status ag_check_beside(ag_checker *c)
{
    AG_TRY(check_facts(c));
    AG_TRY(check_failures(c));
    AG_TRY(check_checkpoints(c));
    AG_TRY(check_trunks(c));
    AG_TRY(check_events(c));
    AG_TRY(note_owner(c));
    return note_leftovers(c);
}
