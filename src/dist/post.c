#include "dist/post.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "dist_internal.h"

/* A message and its body in one piece of memory, on its way. */
typedef struct parcel {
    struct parcel *next;
    MPI_Request request; /* of the send; unused within rank 0 */
    size_t size;         /* of bytes[], without the 0 behind them */
    unsigned char bytes[];
} parcel;

struct ag_post {
    bool mpi;
    int rank;
    int ranks;
    parcel *boxes[2];      /* by office: sent within rank 0, oldest first */
    parcel *outgoing;      /* sends that MPI has not completed */
    parcel *current[2];    /* by office: what the last letter points into */
    unsigned char *buffer; /* where MPI receives; kept warm */
    size_t capacity;
};

/* --- ranks */

ag_status ag_post_open(ag_post **out)
{
    ag_post *post = calloc(1, sizeof *post);
    if (post == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    post->ranks = 1;
    post->mpi = ag_launcher_present();
    prctl(PR_SET_TIMERSLACK, 1000); /* ns: the default rounds short naps up by 50 us */
    if (post->mpi) {
        ag_launcher_start_mpi();
        MPI_Comm_rank(MPI_COMM_WORLD, &post->rank);
        MPI_Comm_size(MPI_COMM_WORLD, &post->ranks);
    }
    ag_status status = ag_launcher_check(post->ranks);
    if (status != AG_OK) {
        ag_post_close(post);
        return status;
    }
    *out = post;
    return AG_OK;
}

void ag_post_library(char *text, size_t size)
{
    char version[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0;
    MPI_Get_library_version(version, &length);
    version[strcspn(version, ",\n")] = '\0'; /* what follows is how it was built */
    snprintf(text, size, "%s", version);
}

int ag_post_rank(const ag_post *post)
{
    return post->rank;
}

int ag_post_ranks(const ag_post *post)
{
    return post->ranks;
}

static void free_parcels(parcel *list)
{
    while (list != NULL) {
        parcel *next = list->next;
        free(list);
        list = next;
    }
}

void ag_post_close(ag_post *post)
{
    if (post == NULL)
        return;
    if (post->mpi)
        MPI_Finalize();
    free_parcels(post->outgoing);
    for (int office = 0; office < 2; office++) {
        free_parcels(post->boxes[office]);
        free(post->current[office]);
    }
    free(post->buffer);
    free(post);
}

void ag_post_abort(ag_post *post, int exit_code)
{
    if (post->mpi)
        MPI_Abort(MPI_COMM_WORLD, exit_code);
}

/* --- sending */

static void append(parcel **list, parcel *item)
{
    while (*list != NULL)
        list = &(*list)->next;
    *list = item;
}

/* Lets MPI work on the sends, and forgets those that are complete. */
static void push_outgoing(ag_post *post)
{
    for (parcel **link = &post->outgoing; *link != NULL;) {
        parcel *item = *link;
        int complete = 0;
        MPI_Test(&item->request, &complete, MPI_STATUS_IGNORE);
        if (complete) {
            *link = item->next;
            free(item);
        } else {
            link = &item->next;
        }
    }
}

ag_status ag_post_send(ag_post *post, ag_office to, int rank, const ag_message *message,
                       const void *body, size_t size)
{
    parcel *item = malloc(sizeof *item + sizeof *message + size + 1);
    if (item == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory: no room for a message of %zu bytes", size);
    *item = (parcel){.size = sizeof *message + size};
    memcpy(item->bytes, message, sizeof *message);
    if (size > 0)
        memcpy(item->bytes + sizeof *message, body, size);
    item->bytes[item->size] = '\0';
    if (rank == post->rank) {
        append(&post->boxes[to], item);
        return AG_OK;
    }
    MPI_Isend(item->bytes, (int)item->size, MPI_BYTE, rank, (int)message->kind, MPI_COMM_WORLD,
              &item->request);
    append(&post->outgoing, item);
    return AG_OK; // NOLINT(clang-analyzer-optin.mpi.MPI-Checker): push_outgoing completes it
}

bool ag_post_delivered(ag_post *post)
{
    if (post->rank == 0)
        return post->boxes[AG_COORDINATOR] == NULL;
    push_outgoing(post);
    return post->outgoing == NULL;
}

/* --- receiving */

static void open_letter(ag_letter *letter, int from, const unsigned char *bytes, size_t size)
{
    size_t head = size < sizeof letter->message ? size : sizeof letter->message;
    *letter = (ag_letter){.from = from, .body = (const char *)bytes + head, .size = size - head};
    memcpy(&letter->message, bytes, head);
}

static ag_status reserve(ag_post *post, size_t size)
{
    if (size < post->capacity)
        return AG_OK;
    unsigned char *buffer = realloc(post->buffer, size + 1);
    if (buffer == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory: no room for a message of %zu bytes", size);
    post->buffer = buffer;
    post->capacity = size + 1;
    return AG_OK;
}

/* MPI_Iprobe looks before it lets messages in: only its second look sees a new one. */
static ag_status receive_over_mpi(bool *got, ag_letter *letter, ag_post *post)
{
    MPI_Status facts;
    int there = 0;
    int size = 0;
    push_outgoing(post);
    for (int look = 0; look < 2 && !there; look++)
        MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &there, &facts);
    *got = there != 0;
    if (!there)
        return AG_OK;
    MPI_Get_count(&facts, MPI_BYTE, &size);
    AG_TRY(reserve(post, (size_t)size));
    MPI_Recv(post->buffer, size, MPI_BYTE, facts.MPI_SOURCE, facts.MPI_TAG, MPI_COMM_WORLD,
             MPI_STATUS_IGNORE);
    post->buffer[size] = '\0';
    open_letter(letter, facts.MPI_SOURCE, post->buffer, (size_t)size);
    return AG_OK;
}

ag_status ag_post_receive(bool *got, ag_letter *letter, ag_post *post, ag_office office)
{
    free(post->current[office]);
    parcel *item = post->boxes[office];
    post->current[office] = item;
    *got = item != NULL;
    if (item != NULL) {
        post->boxes[office] = item->next;
        open_letter(letter, post->rank, item->bytes, item->size);
        return AG_OK;
    }
    bool is_mine = (office == AG_COORDINATOR) == (post->rank == 0);
    return post->mpi && is_mine ? receive_over_mpi(got, letter, post) : AG_OK;
}
