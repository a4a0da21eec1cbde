/* When `altgrad pack` is to be run while results come in. */
#ifndef AG_APP_RUN_PUBLISH_H
#define AG_APP_RUN_PUBLISH_H

#include "proc/child.h"
#include "run_display.h"

typedef struct ag_publisher {
    const char *token; /* the owner's; borrowed */
    ag_child *child;   /* NULL while none runs */
    double started_s;
    double due_s; /* when the next may start */
    bool wanted;  /* there is something new to publish */
    bool told;    /* that it fails: once is enough */
} ag_publisher;

/* Starts `altgrad pack` when it is due, and looks after the one that runs. Its failure is told. */
void ag_publisher_tick(ag_publisher *publisher, const char *out, ag_display *display);

/* Starts one now, whether or not it is due: OUT.h5 without weights, or with everything. */
ag_status ag_publisher_start(ag_publisher *publisher, const char *out, bool spooled);

/* True once the one that runs has ended; *status says how. Warnings are told. */
bool ag_publisher_ended(ag_status *status, ag_publisher *publisher, ag_display *display);
void ag_publisher_deinit(ag_publisher *publisher);

#endif
