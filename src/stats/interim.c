/* Looking several times, after more seeds each time, and stopping where there is a verdict: the
 * error rate is spent over the looks. What a look may spend is fixed before there are values, by a
 * function of the share of the seeds that are there (Lan and DeMets, Biometrika 70, 1983), here
 * share^1.5 (Kim and DeMets, Biometrika 74, 1987). The chance that any look errs is at most the sum
 * of what each may (Bonferroni): true for Student's t with few pairs, for pairs that are missing,
 * and whatever the looks have in common, as boundaries of normal values are not. And since each
 * look's part is the same at every rate, p divided by it is the least rate at which the looks
 * decide, which Holm's method takes like any other p (Maurer and Bretz, Stat. Biopharm. Res. 5,
 * 2013). */
#include <math.h>

#include "stats/stats.h"

/* A few early looks find what is far off; each costs the later ones something. */
static size_t next_look(size_t seeds, size_t at_most)
{
    size_t next = (8 * seeds + 4) / 5;
    return next + next / 4 >= at_most ? at_most : next;
}

/* sqrt and not pow: the same bits everywhere. */
static double spent(size_t seeds, size_t at_most)
{
    double share = (double)seeds / (double)at_most;
    return share * sqrt(share);
}

ag_interim ag_interim_plan(size_t from, size_t at_most)
{
    ag_interim looks = {0};
    double before = 0;
    size_t seeds = from;
    for (;;) {
        double now = spent(seeds, at_most);
        looks.seeds[looks.n] = seeds;
        looks.shares[looks.n++] = now - before;
        if (seeds >= at_most || looks.n == AG_MOST_LOOKS)
            return looks;
        before = now;
        seeds = next_look(seeds, at_most);
    }
}

double ag_interim_p(const ag_interim *looks, size_t look, double p)
{
    return fmin(1, p / looks->shares[look]);
}
