/* What a paired difference says beside a margin. Three hypotheses are tested by Student's t: that
 * the truth is not above the margin, not below it on the other side, and not within it (two
 * one-sided tests: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987). The error rates
 * are those of the two-sided interval: a verdict at rate p is what the interval of level 1 - p lies
 * wholly on. Several verdicts are held together by Holm (Scandinavian Journal of Statistics 6,
 * 1979). */
#include <math.h>
#include <stdlib.h>

#include "stats/stats.h"

/* Without any spread the mean is the truth. */
static ag_decision decide_exactly(double mean, double margin)
{
    ag_tendency tendency = AG_TENDS_SAME;
    if (mean > margin)
        tendency = AG_TENDS_WORSE;
    if (mean < -margin)
        tendency = AG_TENDS_BETTER;
    return (ag_decision){tendency, 0};
}

ag_decision ag_decide(const ag_estimate *difference, double margin)
{
    if (difference->n < 2)
        return (ag_decision){AG_TENDS_SAME, NAN};
    if (!(difference->sd > 0))
        return decide_exactly(difference->mean, margin);
    double df = (double)(difference->n - 1);
    double error = difference->sd / sqrt((double)difference->n);
    double from_above = (difference->mean - margin) / error;
    double from_below = (difference->mean + margin) / error;
    double p[AG_TENDENCIES] = {
        [AG_TENDS_SAME] = fmax(ag_t_above(-from_above, df), ag_t_above(from_below, df)),
        [AG_TENDS_WORSE] = ag_t_above(from_above, df),
        [AG_TENDS_BETTER] = ag_t_above(-from_below, df),
    };
    ag_tendency least = AG_TENDS_SAME;
    for (ag_tendency i = AG_TENDS_WORSE; i < AG_TENDENCIES; i++)
        least = p[i] < p[least] ? i : least;
    return (ag_decision){least, fmin(1, 2 * p[least])};
}

/* With more pairs the rate falls where it falls at all, so the least number is found by halving. */
size_t ag_needed_pairs(const ag_estimate *difference, double margin, double rate, size_t most)
{
    ag_estimate planned = *difference;
    size_t low = difference->n;
    size_t high = most;
    planned.n = most;
    if (difference->n < 2 || difference->n >= most || ag_decide(&planned, margin).p > rate)
        return 0;
    while (high - low > 1) {
        planned.n = low + (high - low) / 2;
        if (ag_decide(&planned, margin).p > rate)
            low = planned.n;
        else
            high = planned.n;
    }
    return high;
}

/* Equal ones by their place, so that no order depends on the C library. */
static int by_p(const void *left, const void *right)
{
    const ag_ranked *a = left;
    const ag_ranked *b = right;
    if (a->p != b->p)
        return a->p < b->p ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

void ag_holm(ag_ranked *family, size_t n)
{
    double worst = 0;
    if (n > 0)
        qsort(family, n, sizeof *family, by_p);
    for (size_t i = 0; i < n; i++) {
        worst = fmax(worst, fmin(1, (double)(n - i) * family[i].p));
        family[i].adjusted = worst;
    }
}
