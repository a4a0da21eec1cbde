/* A folder that a test fills with files and that goes away with it. */
#ifndef AG_TESTS_SCRATCH_H
#define AG_TESTS_SCRATCH_H

#include "support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct scratch {
    char folder[64];
} scratch;

static inline int scratch_setup(void **state)
{
    static scratch s;
    snprintf(s.folder, sizeof s.folder, "%s", "/tmp/altgrad-test-XXXXXX");
    *state = &s;
    return mkdtemp(s.folder) != NULL ? setenv("XDG_CACHE_HOME", s.folder, 1) : -1;
}

static inline int scratch_teardown(void **state)
{
    const scratch *s = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", s->folder);
    return system(command);
}

/* A path in the folder; stands until the fourth call from here. */
static inline const char *scratch_path(const scratch *s, const char *name)
{
    static char paths[4][128];
    static size_t next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", s->folder, name);
    return path;
}

/* Sets the time of the last change. */
static inline void scratch_date(const char *path, time_t seconds)
{
    const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* A file of these bytes, last changed in 2001: old enough for the cache. */
static inline const char *scratch_file(const scratch *s, const char *name, const void *bytes,
                                       size_t count)
{
    const char *path = scratch_path(s, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
    scratch_date(path, 1000000000);
    return path;
}

#endif
