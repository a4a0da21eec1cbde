/* Carries messages between the coordinator and the supervisors: over MPI between ranks, through a
 * queue in memory within rank 0. No call waits for another rank unless it says Collective. */
#ifndef AG_FARM_POST_H
#define AG_FARM_POST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "farm/protocol.h"

typedef struct ag_post ag_post;

typedef enum ag_office { AG_COORDINATOR, AG_SUPERVISOR } ag_office;

typedef struct ag_letter {
    int from; /* rank */
    ag_message message;
    const char *body; /* ends in a 0 that does not count; valid until the office's next receive */
    size_t size;
} ag_letter;

/* Starts MPI where a launcher started this process; without one this is the only rank and MPI is
 * never touched. AG_ERR_SYSTEM when the launcher speaks of several ranks and MPI of one. */
ag_status ag_post_open(ag_post **out);

/* Collective. Ends MPI. Whatever was not received is lost. NULL is fine. */
void ag_post_close(ag_post *post);

/* Ends all ranks at once, with this exit code where the launcher passes it on. */
void ag_post_abort(ag_post *post, int exit_code);

/* Name and version of the MPI library, cut to `size`. */
void ag_post_library(char *text, size_t size);

int ag_post_rank(const ag_post *post);
int ag_post_ranks(const ag_post *post);
int ag_post_ranks_here(const ag_post *post); /* on this host, this one included */

/* Sends a copy of the body. `rank` is 0 for the coordinator. AG_ERR_SYSTEM when memory runs out. */
ag_status ag_post_send(ag_post *post, ag_office to, int rank, const ag_message *message,
                       const void *body, size_t size);

/* Takes the next message for an office of this rank; false when there is none. */
ag_status ag_post_receive(bool *got, ag_letter *letter, ag_post *post, ag_office office);

/* Whether everything that this rank's supervisor sent was received. */
bool ag_post_delivered(ag_post *post);

#endif
