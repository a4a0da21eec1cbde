/* What altgrad names of MPI, where there is none (musl.sh): one rank, to whom nobody writes. */
#ifndef ALTGRAD_TESTS_NO_MPI_H
#define ALTGRAD_TESTS_NO_MPI_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int MPI_Comm;
typedef int MPI_Datatype;
typedef int MPI_Info;
typedef int MPI_Message;
typedef int MPI_Request;
typedef struct {
    int MPI_SOURCE;
} MPI_Status;

enum { MPI_SUCCESS, MPI_MAX_LIBRARY_VERSION_STRING = 16 };
enum { MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_BYTE, MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, MPI_INFO_NULL };
#define MPI_STATUS_IGNORE ((MPI_Status *)0)

static inline int MPI_Get_library_version(char *text, int *length)
{
    strcpy(text, "no MPI");
    *length = (int)strlen(text);
    return MPI_SUCCESS;
}

static inline int MPI_Initialized(int *started)
{
    *started = 0;
    return MPI_SUCCESS;
}

#define SUCCEEDS(name, ...)                                                                        \
    static inline int name(__VA_ARGS__)                                                            \
    {                                                                                              \
        return MPI_SUCCESS;                                                                        \
    }
SUCCEEDS(MPI_Init, int *argc, char ***argv)
SUCCEEDS(MPI_Finalize, void)
SUCCEEDS(MPI_Comm_split_type, MPI_Comm comm, int type, int key, MPI_Info info, MPI_Comm *part)
SUCCEEDS(MPI_Comm_free, MPI_Comm *comm)

static inline int MPI_Comm_rank(MPI_Comm comm, int *rank)
{
    *rank = 0;
    return MPI_SUCCESS;
}

static inline int MPI_Comm_size(MPI_Comm comm, int *size)
{
    *size = 1;
    return MPI_SUCCESS;
}

static inline int MPI_Abort(MPI_Comm comm, int code)
{
    _exit(code);
}

static inline int MPI_Improbe(int rank, int tag, MPI_Comm comm, int *there, MPI_Message *message,
                              MPI_Status *status)
{
    *there = 0;
    return MPI_SUCCESS;
}

#define NEVER_CALLED(name, ...)                                                                    \
    static inline int name(__VA_ARGS__)                                                            \
    {                                                                                              \
        abort();                                                                                   \
    }
NEVER_CALLED(MPI_Barrier, MPI_Comm comm)
NEVER_CALLED(MPI_Ibarrier, MPI_Comm comm, MPI_Request *request)
NEVER_CALLED(MPI_Isend, const void *data, int count, MPI_Datatype type, int rank, int tag,
             MPI_Comm comm, MPI_Request *request)
NEVER_CALLED(MPI_Imrecv, void *data, int count, MPI_Datatype type, MPI_Message *message,
             MPI_Request *request)
NEVER_CALLED(MPI_Get_count, const MPI_Status *status, MPI_Datatype type, int *count)
NEVER_CALLED(MPI_Test, MPI_Request *request, int *complete, MPI_Status *status)
#endif
