/* Messages over MPI, none of which waits. Sends are MPI_Isend with a copy of the bytes, completed
 * later; receives begin when MPI_Improbe finds a message and are taken when they are whole. MPI
 * keeps the order of messages between two ranks, but long ones complete late, so a letter waits for
 * earlier ones of the same sender. Rank 0's two offices write to each other through lists in
 * memory. */
#include "farm/post.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "farm_internal.h"

/* A message and its body in one piece of memory, on its way. */
typedef struct parcel {
    struct parcel *next;
    int rank;            /* to which it goes, or from which it comes */
    MPI_Request request; /* of the send or the receive; unused within rank 0 */
    size_t size;         /* of bytes[], without the 0 behind them */
    unsigned char bytes[];
} parcel;

struct ag_post {
    bool mpi;
    int rank;
    int ranks;
    int ranks_here;
    parcel *boxes[2];   /* by office: sent within rank 0, oldest first */
    parcel *outgoing;   /* sends that MPI has not completed */
    parcel *incoming;   /* receives likewise, oldest first */
    parcel *current[2]; /* by office: what the last letter points into */
};

/* --- ranks */

/* A launcher says that there are ranks; without one MPI is never started, and a laptop needs none
 * running. */
ag_status ag_post_open(ag_post **out)
{
    ag_post *post = calloc(1, sizeof *post);
    if (post == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    post->ranks = post->ranks_here = 1;
    post->mpi = ag_launcher_present();
    prctl(PR_SET_TIMERSLACK, 1000); /* ns: the default rounds short naps up by 50 us */
    if (post->mpi) {
        post->ranks_here = ag_launcher_start_mpi();
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

int ag_post_ranks_here(const ag_post *post)
{
    return post->ranks_here;
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
    free_parcels(post->incoming);
    for (int office = 0; office < 2; office++) {
        free_parcels(post->boxes[office]);
        free(post->current[office]);
    }
    free(post);
}

void ag_post_abort(ag_post *post, int exit_code)
{
    if (post->mpi)
        MPI_Abort(MPI_COMM_WORLD, exit_code);
}

/* A 0 behind the bytes lets a body be read as a text. */
static parcel *make_parcel(int rank, size_t size)
{
    parcel *item = malloc(sizeof *item + size + 1);
    if (item == NULL) {
        ag_fail(AG_ERR_SYSTEM, "out of memory: no room for a message of %zu bytes", size);
        return NULL;
    }
    *item = (parcel){.rank = rank, .size = size};
    item->bytes[size] = '\0';
    return item;
}

/* At the end: parcels between two ranks keep their order. */
static void append(parcel **list, parcel *item)
{
    while (*list != NULL)
        list = &(*list)->next;
    *list = item;
}

/* --- sending */

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

/* The copy belongs to MPI until it is sent, so the caller need not wait. */
ag_status ag_post_send(ag_post *post, ag_office to, int rank, const ag_message *message,
                       const void *body, size_t size)
{
    parcel *item = make_parcel(rank, sizeof *message + size);
    if (item == NULL)
        return AG_ERR_SYSTEM;
    memcpy(item->bytes, message, sizeof *message);
    if (size > 0)
        memcpy(item->bytes + sizeof *message, body, size);
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

static void open_letter(ag_letter *letter, const parcel *item)
{
    size_t head = item->size < sizeof letter->message ? item->size : sizeof letter->message;
    *letter = (ag_letter){
        .from = item->rank, .body = (const char *)item->bytes + head, .size = item->size - head};
    memcpy(&letter->message, item->bytes, head);
}

static parcel *take_first(parcel **list)
{
    parcel *first = *list;
    if (first != NULL)
        *list = first->next;
    return first;
}

/* Has MPI begin to receive what has come. A long message comes in parts, and its sender may hang in
 * the middle: nothing here waits for the rest. MPI_Improbe looks before it lets messages in: only
 * its second look sees a new one. */
static ag_status begin_receive(ag_post *post)
{
    MPI_Message message;
    MPI_Status facts;
    int there = 0;
    int size = 0;
    for (int look = 0; look < 2 && !there; look++)
        MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &there, &message, &facts);
    if (!there)
        return AG_OK;
    MPI_Get_count(&facts, MPI_BYTE, &size);
    parcel *item = make_parcel(facts.MPI_SOURCE, (size_t)size);
    if (item == NULL)
        return AG_ERR_SYSTEM;
    MPI_Imrecv(item->bytes, size, MPI_BYTE, &message, &item->request);
    append(&post->incoming, item);
    return AG_OK;
}

/* Whether an earlier message of the same rank is still on its way. */
static bool has_earlier(const parcel *list, const parcel *item)
{
    while (list != item && list->rank != item->rank)
        list = list->next;
    return list != item;
}

/* The first message that is whole and whose turn it is; NULL where there is none. */
static parcel *take_whole(ag_post *post)
{
    for (parcel **link = &post->incoming; *link != NULL; link = &(*link)->next) {
        int whole = 0;
        if (!has_earlier(post->incoming, *link))
            MPI_Test(&(*link)->request, &whole, MPI_STATUS_IGNORE);
        if (whole)
            return take_first(link);
    }
    return NULL;
}

/* Rank 0 hears other ranks as the coordinator, every other rank as a supervisor; MPI's messages go
 * to that office. Each receive frees the letter before. */
ag_status ag_post_receive(bool *got, ag_letter *letter, ag_post *post, ag_office office)
{
    bool from_others = post->mpi && (office == AG_COORDINATOR) == (post->rank == 0);
    free(post->current[office]);
    parcel *item = take_first(&post->boxes[office]);
    post->current[office] = item;
    if (item == NULL && from_others) {
        push_outgoing(post);
        AG_TRY(begin_receive(post));
        post->current[office] = item = take_whole(post);
    }
    *got = item != NULL;
    if (item != NULL)
        open_letter(letter, item);
    return AG_OK;
}
