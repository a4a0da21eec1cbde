/* Every message between the coordinator and a supervisor.
 *
 *   supervisor                            coordinator
 *     | -- READY    (version, greeting) -----> |   once; it then has room for two assignments
 *     | <- ASSIGN   (job, its bytes) --------- |   one to work on, later one ahead of need
 *     | -- PROGRESS (job, step, value) ------> |   at its start, then a few times a second
 *     | -- ALIVE ----------------------------> |   when it has said nothing else for a second
 *     | -- RESULT   (job, end, total, reason)> |   counts as the next READY
 *     | <- FETCH    (job) -------------------- |   only if total > 0: when there is room for it
 *     | -- PIECE    (job, offset, bytes) ----> |   as often as total needs, each with its crc32
 *     | <- CANCEL ---------------------------- |   end the job at work, give back the one ahead
 *     | <- STOP ------------------------------ |   nothing more will come
 *     | -- BYE ------------------------------> |   the last word
 *
 * A message is an ag_message and a body; the MPI tag is its kind. Rank 0 has both roles: what they
 * say to each other takes the same way through memory. All ranks must be of one architecture:
 * structs travel as they are. READY says so, by magic number, version and size. */
#ifndef AG_FARM_PROTOCOL_H
#define AG_FARM_PROTOCOL_H

#include <stdint.h>

enum { AG_PROTOCOL_MAGIC = 0x41474d31, AG_PROTOCOL_VERSION = 4, AG_PIECE_BYTES = 8 << 20 };

typedef enum ag_message_kind {
    AG_MSG_READY,
    AG_MSG_ASSIGN,
    AG_MSG_PROGRESS,
    AG_MSG_ALIVE,
    AG_MSG_RESULT,
    AG_MSG_FETCH,
    AG_MSG_PIECE,
    AG_MSG_CANCEL,
    AG_MSG_STOP,
    AG_MSG_BYE,
    AG_MSG_KINDS
} ag_message_kind;

typedef struct ag_message {
    uint32_t magic; /* these three stand first in every version */
    uint16_t version;
    uint16_t size; /* of this struct */
    uint32_t kind; /* ag_message_kind */
    int32_t attempt;
    int64_t job;
    int32_t end;     /* RESULT: ag_job_end */
    uint32_t crc;    /* PIECE: crc32 of the body */
    uint64_t total;  /* RESULT: bytes of the whole result */
    uint64_t offset; /* PIECE: of the body within the result */
    int64_t step;    /* PROGRESS, like steps */
    int64_t steps;
    double value; /* PROGRESS, RESULT: the worker's own, like phase */
    uint32_t phase;
    uint32_t unused;
    double seconds;   /* PROGRESS, RESULT: since the job began */
    int64_t mark;     /* PROGRESS, like marked: the worker's own */
    double marked[2]; /* RESULT: the first is spent_s */
} ag_message;

_Static_assert(sizeof(ag_message) == 112, "no padding: the struct is the wire format");

/* A message about `job` that is all zero otherwise. */
static inline ag_message ag_message_make(ag_message_kind kind, int64_t job, int32_t attempt)
{
    return (ag_message){.magic = AG_PROTOCOL_MAGIC,
                        .version = AG_PROTOCOL_VERSION,
                        .size = sizeof(ag_message),
                        .kind = kind,
                        .job = job,
                        .attempt = attempt};
}

#endif
