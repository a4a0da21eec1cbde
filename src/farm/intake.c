/* Results on their way to rank 0. Each is announced with its size, and fetched in pieces when its
 * turn has come, in the order of the announcements. Each piece carries a CRC-32: networks are
 * checked, but results of weeks of training are worth the look. */
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "farm_internal.h"

ag_status ag_intake_init(ag_intake *intake, ag_post *post)
{
    int ranks = ag_post_ranks(post);
    *intake = (ag_intake){.post = post, .ranks = ranks, .from = -1};
    intake->announced = calloc((size_t)ranks, sizeof *intake->announced);
    return intake->announced != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory");
}

void ag_intake_deinit(ag_intake *intake)
{
    free(intake->announced);
    free(intake->bytes);
    *intake = (ag_intake){0};
}

void ag_intake_announce(ag_intake *intake, int rank, const ag_message *result)
{
    intake->announced[rank] = (ag_announced){.turn = ++intake->turns, .result = *result};
}

/* In the order of announcement: nobody waits for ever. */
static int longest_waiting(const ag_intake *intake)
{
    int first = -1;
    for (int rank = 0; rank < intake->ranks; rank++) {
        uint64_t turn = intake->announced[rank].turn;
        if (turn > 0 && (first < 0 || turn < intake->announced[first].turn))
            first = rank;
    }
    return first;
}

/* The room is kept from result to result, and only grows. */
static ag_status reserve(ag_intake *intake, size_t size)
{
    if (size <= intake->capacity)
        return AG_OK;
    free(intake->bytes);
    intake->bytes = malloc(size);
    intake->capacity = intake->bytes != NULL ? size : 0;
    return intake->bytes != NULL
               ? AG_OK
               : ag_fail(AG_ERR_SYSTEM, "out of memory: a result of %zu MiB", size >> 20);
}

/* Only when none is coming in: the sender then has the network to itself. */
ag_status ag_intake_fetch(ag_intake *intake)
{
    int rank = intake->from < 0 ? longest_waiting(intake) : -1;
    if (rank < 0)
        return AG_OK;
    const ag_message *result = &intake->announced[rank].result;
    AG_TRY(reserve(intake, (size_t)result->total));
    intake->from = rank;
    intake->received = 0;
    intake->damaged = false;
    ag_message fetch = ag_message_make(AG_MSG_FETCH, result->job, result->attempt);
    return ag_post_send(intake->post, AG_SUPERVISOR, rank, &fetch, NULL, 0);
}

/* Pieces come in order, since one rank sends them; anything else is a fault of the program. */
ag_status ag_intake_add(bool *whole, ag_intake *intake, const ag_letter *piece)
{
    int rank = piece->from;
    const ag_message *message = &piece->message;
    const ag_message *result = &intake->announced[rank].result;
    size_t total = (size_t)result->total;
    if (rank != intake->from || message->offset != intake->received || piece->size == 0 ||
        piece->size > total - intake->received)
        return ag_fail(AG_ERR_BUG, "rank %d sent a piece that nobody asked for", rank);
    memcpy(intake->bytes + intake->received, piece->body, piece->size);
    intake->received += piece->size;
    uint32_t crc = ag_crc32(piece->body, (size_t)piece->size);
    if (crc != message->crc || message->job != result->job)
        intake->damaged = true;
    *whole = intake->received == total;
    return AG_OK;
}

bool ag_intake_take(ag_message *result, ag_intake *intake, int rank)
{
    ag_announced *announced = &intake->announced[rank];
    if (announced->turn == 0)
        return false;
    *result = announced->result;
    announced->turn = 0;
    if (intake->from == rank)
        intake->from = -1;
    return true;
}
