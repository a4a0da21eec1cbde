/* One status type for the whole program. A function that can fail returns an ag_status; the
 * message is made where the failure happens, once, and is never rewritten on the way up. */
#ifndef AG_BASE_STATUS_H
#define AG_BASE_STATUS_H

#include <stddef.h>

typedef enum ag_status {
    AG_OK = 0,
    AG_ERR_INPUT,  /* the user's command line, experiment file or data: exit code 2 */
    AG_ERR_SYSTEM, /* the environment: disk, memory, MPI, ownership: exit code 3 */
    AG_ERR_FILE,   /* a file is damaged, foreign or of another version: exit code 3 */
    AG_ERR_BUG,    /* something the program promised itself does not hold: exit code 3 */
} ag_status;

/* Records the message of a failure and returns `status`. The first message stands: a later call
 * before ag_error_clear() changes nothing. Thread-local; messages over 2 KiB are cut. */
ag_status ag_fail(ag_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ag_fail(AG_ERR_SYSTEM, ...) with ": " and strerror(errno) appended. */
ag_status ag_fail_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The recorded message, "" when there is none. Valid until the next ag_fail or clear. */
const char *ag_error_message(void);

/* Forgets the recorded message: call it before work whose failure must speak for itself. */
void ag_error_clear(void);

/* Takes the recorded message over: `text` holds it then, cut to `size`, and what is done next may
 * fail with a message of its own. Returns `text`. */
enum { AG_MESSAGE_SIZE = 2048 };
const char *ag_error_take(char *text, size_t size);

/* Passes a failure on. Only for functions that own nothing at that point. */
#define AG_TRY(call)                                                                               \
    do {                                                                                           \
        ag_status ag_try_status = (call);                                                          \
        if (ag_try_status != AG_OK)                                                                \
            return ag_try_status;                                                                  \
    } while (0)

#endif
