/* events.jsonl: what happened, for people and for status. */
#ifndef AG_SPOOL_EVENTS_H
#define AG_SPOOL_EVENTS_H

#include "base/status.h"
#include "spool/places.h"

/* Appends to events.jsonl; see ag_store_event. */
ag_status ag_event_append(const ag_places *places, const char *event, const char *members);

/* UTC, "2026-01-31T12:00:00Z". */
void ag_event_time(char text[32]);

#endif
