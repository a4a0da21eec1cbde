/* Tables of precisions: what a layer config and a format come to, phase by phase. */
#ifndef AG_CONFIG_TABLES_H
#define AG_CONFIG_TABLES_H

#include "config_internal.h"
#include "run/sites.h"

/* A kind of sites, in blocks or of lm_head, in a set of those without effect. */
static inline uint32_t ag_idle_bit(ag_site_kind kind, bool of_head)
{
    return 1u << (2 * kind + of_head);
}

/* Zeroed room in the shared tables, which AG_MAX_ROUTED_LAYERS bounds; NULL after an error. */
void *ag_routing_take(ag_experiment *experiment, size_t count, size_t size);

/* Whether, with that format, the precision of some layer or site may change with the step. */
bool ag_choice_changes(const ag_experiment *experiment, const ag_choice *choice, size_t format);

/* The phases of a routing whose other members are set. False after an error. */
bool ag_routing_resolve(ag_routing *routing, ag_experiment *experiment, const ag_choice *choice);

#endif
