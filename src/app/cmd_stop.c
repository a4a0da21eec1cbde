/* altgrad stop: asks whoever writes the results to stop, and may wait for it. A signal where its
 * process can be reached, and a file where it cannot: the same command from the same host or from a
 * login node. Neither ends anything by force, and an owner that is asked twice is not asked more
 * urgently. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "base/clock.h"
#include "command_line.h"
#include "results/overview.h"
#include "spool/owner.h"
#include "wrong_file.h"

static const ag_option s_options[] = {
    {"--wait", "wait until it has ended", AG_OPTION_FLAG, 0, 0, NULL},
};

static const ag_command_line s_line = {
    .command = "stop",
    .usage =
        "usage: altgrad stop OUT [--wait]\n\n"
        "Asks the 'altgrad run' that writes OUT to stop: it starts no further runs, writes\n"
        "checkpoints and ends with exit code 75; the same 'altgrad run' continues. On its own "
        "host\n"
        "it gets SIGUSR1. From any other host or container that sees the file, it gets a request\n"
        "in OUT.d, which it finds within seconds (on a network file system within a minute).\n\n",
    .column = 11,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes = "\nExit codes: 0 asked (with --wait: ended), or nothing runs; 2 bad input; 3 "
             "environment.\n\n"
             "example: altgrad stop results/quickstart.h5 --wait && altgrad status "
             "results/quickstart.h5\n",
};

/* An owner elsewhere that gave no sign for long is not waited for: it would be waited for in vain.
 */
static bool is_alive(const ag_owner_view *owner)
{
    return owner->life == AG_LIFE_HERE || owner->life == AG_LIFE_ELSEWHERE;
}

/* `altgrad pack` and `altgrad merge` own results for a while, and cannot be asked. */
static bool is_short(const ag_owner_view *owner)
{
    return strcmp(owner->job, "pack") == 0 || strcmp(owner->job, "merge") == 0;
}

/* The file also where kill is not permitted: who may write beside the results may ask their owner.
 */
static ag_status ask(const ag_owner_view *owner, const char *path)
{
    if (owner->life == AG_LIFE_HERE && kill((pid_t)owner->pid, SIGUSR1) == 0) {
        printf("%s: sent SIGUSR1 to pid %ld on this host\n", path, owner->pid);
        return AG_OK;
    }
    AG_TRY(ag_owner_ask_stop(owner, path)); /* also where the process is another user's */
    printf("%s: left a request for pid %ld%s on host %s, which looks for it every few seconds\n",
           path, owner->pid, owner->where, owner->host);
    if (owner->life == AG_LIFE_SILENT)
        printf("%s: it has written no heartbeat for %.0f s and is probably dead\n", path,
               owner->silence_s);
    return AG_OK;
}

/* By the token: another owner that comes at once is another, and is not waited for. */
static ag_status wait_for_end(const ag_owner_view *first, const char *path)
{
    ag_owner_view owner = *first;
    while (is_alive(&owner) && strcmp(owner.token, first->token) == 0) {
        ag_clock_nap(0.1);
        AG_TRY(ag_owner_find(&owner, path));
    }
    printf("%s: pid %ld%s on host %s has ended%s\n", path, first->pid, first->where, first->host,
           owner.life == AG_LIFE_DEAD ? ": it was killed" : "");
    return AG_OK;
}

/* Nothing to stop is success: a script that wants it stopped has what it wants. */
static ag_status stop(const char *path, bool wait)
{
    ag_owner_view owner;
    AG_TRY(ag_app_expect_results(path));
    AG_TRY(ag_owner_find(&owner, path));
    if (owner.life == AG_LIFE_NONE || owner.life == AG_LIFE_DEAD) {
        printf("%s: no altgrad is writing it%s\n", path,
               owner.life == AG_LIFE_NONE ? "" : "; the last one was killed");
        return AG_OK;
    }
    if (is_short(&owner))
        printf("%s: 'altgrad %s' is writing it (pid %ld%s on host %s) and will end by itself\n",
               path, owner.job, owner.pid, owner.where, owner.host);
    else
        AG_TRY(ask(&owner, path));
    (void)fflush(stdout);
    return wait && is_alive(&owner) ? wait_for_end(&owner, path) : AG_OK;
}

int ag_cmd_stop(int argc, char **argv)
{
    const char *path = NULL;
    bool wait = false; /* the only option */
    int code = ag_app_read_options(&wait, &s_line, argc, argv, NULL);
    if (code < 0)
        code = ag_app_results_argument(&path, &s_line, argc, argv);
    if (code >= 0)
        return code;
    return ag_app_exit(stop(path, wait));
}
