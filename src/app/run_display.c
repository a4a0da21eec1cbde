/* Progress of an experiment: one redrawn block on a terminal, lines in a log. */
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/printable.h"
#include "run_internal.h"

enum { BAR_CELLS = 20, LEAST_WIDTH = 40, OTHER_LINES = 3, LONGEST_LINE = 512 };

static const double s_redraw_s = 0.1;
static const double s_summary_s = 60.0;
static const double s_rate_window_s = 1.0;

/* One trainer at work. */
typedef struct row {
    bool active;
    ag_display_run run;
    ag_job_progress progress;
    double rate; /* tokens/s over the last second or so; 0 while not known */
    int64_t rate_step;
    double rate_s;
} row;

struct ag_display {
    ag_show show; /* never AG_SHOW_AUTO */
    int terminal; /* descriptor that knows the window's size; -1 */
    bool coloured;
    bool ended; /* nothing runs any more, and nothing is drawn */
    const char *experiment;
    row *rows; /* [ranks] */
    int ranks;
    double began_s;
    double drawn_s;
    int lines;               /* of the block that stands on the screen */
    char last[LONGEST_LINE]; /* event */
    ag_text frame;
};

/* --- where it goes */

static bool is_launched(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") != NULL || getenv("PMI_RANK") != NULL ||
           getenv("PMIX_RANK") != NULL;
}

/* What the launcher's descriptor is, such as /dev/pts/3; "" where that cannot be told. */
static void find_launchers(char target[PATH_MAX], int fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getppid(), fd);
    ssize_t length = readlink(path, target, PATH_MAX - 1);
    target[length > 0 ? length : 0] = '\0';
}

/* A rank's own stderr is a pipe to its launcher, so the launcher's is asked. */
static int open_launchers_stderr(void)
{
    char target[PATH_MAX];
    if (!is_launched())
        return dup(STDERR_FILENO);
    find_launchers(target, STDERR_FILENO);
    if (strncmp(target, "/dev/", 5) != 0) /* opening a pipe or a file could have effects */
        return -1;
    return open(target, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

int ag_display_output(const ag_display *display)
{
    char out[PATH_MAX];
    char err[PATH_MAX];
    if (!is_launched() || display->terminal < 0 || isatty(display->terminal) != 1)
        return STDOUT_FILENO;
    find_launchers(out, STDOUT_FILENO);
    find_launchers(err, STDERR_FILENO);
    return out[0] != '\0' && strcmp(out, err) == 0 ? STDERR_FILENO : STDOUT_FILENO;
}

static bool is_capable(void)
{
    const char *term = getenv("TERM");
    return term != NULL && strcmp(term, "dumb") != 0;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0';
}

static void choose(ag_display *display, ag_show show)
{
    display->show = show;
    display->terminal =
        show == AG_SHOW_NONE || show == AG_SHOW_PLAIN ? -1 : open_launchers_stderr();
    bool is_terminal = display->terminal >= 0 && isatty(display->terminal) == 1;
    if (show == AG_SHOW_AUTO)
        display->show = is_terminal && is_capable() ? AG_SHOW_TTY : AG_SHOW_PLAIN;
    display->coloured = display->show == AG_SHOW_TTY && !is_set("NO_COLOR");
}

ag_status ag_display_create(ag_display **out, ag_show show, const char *experiment, int ranks)
{
    ag_display *display = calloc(1, sizeof *display);
    row *rows = calloc((size_t)ranks, sizeof *rows);
    if (display == NULL || rows == NULL) {
        free(display);
        free(rows);
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    }
    *display = (ag_display){
        .rows = rows, .ranks = ranks, .experiment = experiment, .began_s = ag_clock_s()};
    display->drawn_s = display->began_s;
    ag_text_init(&display->frame);
    choose(display, show);
    *out = display;
    return AG_OK;
}

void ag_display_destroy(ag_display *display)
{
    if (display == NULL)
        return;
    if (display->terminal >= 0)
        close(display->terminal);
    ag_text_deinit(&display->frame);
    free(display->rows);
    free(display);
}

static void window_size(int *width, int *height, const ag_display *display)
{
    struct winsize size = {0};
    *width = 80;
    *height = 24;
    if (display->terminal < 0 || ioctl(display->terminal, TIOCGWINSZ, &size) != 0)
        return;
    *width = size.ws_col >= LEAST_WIDTH ? size.ws_col : *width;
    *height = size.ws_row > OTHER_LINES ? size.ws_row : *height;
}

/* One write a frame: a terminal that shows half of one flickers. */
static void flush_frame(ag_display *display)
{
    const char *next = display->frame.data;
    size_t left = display->frame.length;
    while (left > 0) {
        ssize_t written = write(STDERR_FILENO, next, left);
        if (written <= 0)
            break;
        next += written;
        left -= (size_t)written;
    }
    ag_text_deinit(&display->frame);
}

/* --- what is said */

static void write_duration(char *text, size_t size, double seconds)
{
    long whole = lround(fmin(seconds, 1e9));
    if (whole < 60)
        snprintf(text, size, "%lds", whole);
    else if (whole < 3600)
        snprintf(text, size, "%ldm%02lds", whole / 60, whole % 60);
    else if (whole < 48L * 3600)
        snprintf(text, size, "%ldh%02ldm", whole / 3600, whole / 60 % 60);
    else
        snprintf(text, size, "%ldd%02ldh", whole / 86400, whole / 3600 % 24);
}

static int count_active(const ag_display *display)
{
    int active = 0;
    for (int rank = 0; rank < display->ranks; rank++)
        active += display->rows[rank].active;
    return active;
}

/* Of the whole cost, also that of the steps which running trainers have behind them. */
static double share_done(const ag_display *display, const ag_run_counts *counts)
{
    double done = counts->cost_done;
    for (int rank = 0; rank < display->ranks; rank++) {
        const row *its = &display->rows[rank];
        if (its->active && its->progress.steps > 0)
            done += its->run.cost * fmax((double)its->progress.step / (double)its->progress.steps -
                                             its->run.counted,
                                         0.0);
    }
    return counts->cost > 0.0 ? fmin(done / counts->cost, 1.0) : 1.0;
}

static void write_eta(char *text, size_t size, const ag_display *display,
                      const ag_run_counts *counts)
{
    double elapsed = ag_clock_s() - display->began_s;
    double share = share_done(display, counts);
    double before = counts->cost > 0.0 ? counts->cost_before / counts->cost : 0.0;
    if (share >= 1.0)
        write_duration(text, size, 0.0);
    else if (share <= before || elapsed < 1.0)
        snprintf(text, size, "?");
    else
        write_duration(text, size, elapsed * (1.0 - share) / (share - before));
}

static void add_coloured(ag_text *text, const ag_display *display, const char *colour,
                         const char *words)
{
    ag_text_printf(text, "%s%s%s", display->coloured ? colour : "", words,
                   display->coloured ? "\033[0m" : "");
}

/* "12/30 runs done, 1 diverged, 2 failed, 15 pending (3 running)": they add up. */
static void add_counts(ag_text *text, const ag_display *display, const ag_run_counts *counts)
{
    char words[64];
    size_t diverged = counts->diverged + counts->kept_diverged;
    size_t left = ag_run_left(counts);
    ag_text_printf(text, "%zu/%zu runs done", counts->kept - counts->kept_diverged + counts->done,
                   counts->selected);
    if (diverged > 0) {
        snprintf(words, sizeof words, ", %zu diverged", diverged);
        add_coloured(text, display, "\033[33m", words);
    }
    if (counts->failed > 0) {
        snprintf(words, sizeof words, ", %zu failed", counts->failed);
        add_coloured(text, display, "\033[31m", words);
    }
    if (left > 0)
        ag_text_printf(text, ", %zu pending", left);
    if (left > 0 && !display->ended)
        ag_text_printf(text, " (%d running)", count_active(display));
}

/* --- the block */

static void end_line(ag_display *display)
{
    ag_text_add(&display->frame, "\033[K\n");
    display->lines++;
}

static void add_bar(ag_display *display, const ag_run_counts *counts, int width)
{
    char bar[BAR_CELLS + 1];
    char eta[32];
    int filled = (int)(share_done(display, counts) * BAR_CELLS);
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', (size_t)filled);
    bar[BAR_CELLS] = '\0';
    ag_text *frame = &display->frame;
    write_eta(eta, sizeof eta, display, counts);
    if (width >= 100) {
        ag_text_add_printable_n(frame, display->experiment, ag_text_fit(display->experiment, 40),
                                "");
        ag_text_add(frame, " ");
    }
    ag_text_add(frame, "[");
    add_coloured(frame, display, "\033[32m", bar);
    ag_text_add(frame, "] ");
    add_counts(frame, display, counts);
    if (width >= 80 && !display->ended)
        ag_text_printf(frame, ", ETA %s", eta);
    end_line(display);
}

static void write_numbers(char *text, size_t size, const row *its, bool with_rate)
{
    const ag_job_progress *now = &its->progress;
    if (now->steps == 0) {
        snprintf(text, size, "starting");
        return;
    }
    int used = snprintf(text, size, "step %6lld/%lld", (long long)now->step, (long long)now->steps);
    char *rest = text + used;
    size_t room = size - (size_t)used;
    if (now->phase == AG_TRAINER_EVALUATING)
        snprintf(rest, room, "  evaluating");
    else if (now->step > 0 && its->rate > 0.0 && with_rate)
        snprintf(rest, room, "  loss %7.4f %9.0f tok/s", now->value, its->rate);
    else if (now->step > 0)
        snprintf(rest, room, "  loss %7.4f", now->value);
}

/* The numbers stand in a column of their own, the last of them only where there is room; the name
 * is shortened to what they leave. */
static void add_row(ag_display *display, int rank, int width)
{
    enum { NUMBERS = 52, FEWER_NUMBERS = 36, NARROW = 100 };
    char numbers[96];
    const row *its = &display->rows[rank];
    bool narrow = width < NARROW;
    int left = narrow ? FEWER_NUMBERS : NUMBERS;
    write_numbers(numbers, sizeof numbers, its, !narrow);
    ag_text_printf(&display->frame, "%4d  ", rank);
    ag_text name;
    ag_text_init(&name);
    ag_text_add_printable(&name, its->run.name);
    ag_text_add_short(&display->frame, name.data,
                      width > left + 16 ? (size_t)(width - left - 7) : 9);
    ag_text_deinit(&name);
    ag_text_printf(&display->frame, " %s", numbers);
    end_line(display);
}

/* Back to the first line of the block that stands there. */
static void go_up(ag_display *display)
{
    if (display->lines > 0)
        ag_text_printf(&display->frame, "\033[%dA\r", display->lines);
    display->lines = 0;
}

/* For the last time: the bar alone, and what was done. */
static void draw_end(ag_display *display, const ag_run_counts *counts)
{
    int width;
    int height;
    window_size(&width, &height, display);
    ag_text_add(&display->frame, "\033[?7l");
    go_up(display);
    add_bar(display, counts, width);
    ag_text_add(&display->frame, "\033[J\033[?7h");
    flush_frame(display);
}

static void draw_block(ag_display *display, const ag_run_counts *counts)
{
    int width;
    int height;
    window_size(&width, &height, display);
    int room = height - OTHER_LINES;
    int active = count_active(display);
    int shown = 0;
    display->lines = 0;
    add_bar(display, counts, width);
    for (int rank = 0; rank < display->ranks; rank++) {
        if (!display->rows[rank].active)
            continue;
        if (++shown == room && active > room) {
            ag_text_printf(&display->frame, "      and %d more", active - shown + 1);
            end_line(display);
            break;
        }
        add_row(display, rank, width);
    }
    if (display->last[0] != '\0') {
        ag_text_add(&display->frame, "last: ");
        ag_text_add_printable_n(&display->frame, display->last,
                                ag_text_fit(display->last, width > 7 ? (size_t)width - 7 : 0), "");
        end_line(display);
    }
    ag_text_add(&display->frame, "\033[J");
}

/* Without wrapping at the right edge: a line too long is cut, and the block keeps its height. */
static void redraw(ag_display *display, const ag_run_counts *counts)
{
    ag_text_add(&display->frame, "\033[?7l");
    go_up(display);
    draw_block(display, counts);
    ag_text_add(&display->frame, "\033[?7h");
    flush_frame(display);
}

/* --- events, progress, time */

void ag_display_event(ag_display *display, ag_log_level level, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (display->show == AG_SHOW_TTY && level == AG_LOG_INFO) {
        snprintf(display->last, sizeof display->last, "%.*s", (int)strcspn(text, "\n"), text);
        return;
    }
    if (display->show == AG_SHOW_NONE && level == AG_LOG_INFO)
        return;
    if (display->show == AG_SHOW_TTY) {
        go_up(display);
        ag_text_add(&display->frame, "\033[J");
        flush_frame(display);
    }
    ag_log(level, "%s", text);
}

void ag_display_progress(ag_display *display, const ag_job_progress *progress,
                         const ag_display_run *run)
{
    row *its = &display->rows[progress->rank];
    if (!its->active || its->progress.job != progress->job ||
        its->progress.attempt != progress->attempt)
        *its = (row){.active = true, .rate_s = progress->seconds};
    its->progress = *progress;
    its->run = *run;
    double span = progress->seconds - its->rate_s;
    if (span < s_rate_window_s && its->rate > 0.0)
        return;
    its->rate =
        span > 0.0 ? (double)(progress->step - its->rate_step) * run->tokens_per_step / span : 0;
    if (span < s_rate_window_s)
        return;
    its->rate_step = progress->step;
    its->rate_s = progress->seconds;
}

void ag_display_ended(ag_display *display, int rank)
{
    display->rows[rank].active = false;
}

static void log_summary(ag_display *display, const ag_run_counts *counts)
{
    char eta[32];
    write_eta(eta, sizeof eta, display, counts);
    add_counts(&display->frame, display, counts);
    if (!display->ended)
        ag_text_printf(&display->frame, ", ETA %s", eta);
    ag_log(AG_LOG_INFO, "%s", display->frame.data);
    ag_text_deinit(&display->frame);
}

void ag_display_tick(ag_display *display, const ag_run_counts *counts)
{
    double now = ag_clock_s();
    double every = display->show == AG_SHOW_TTY ? s_redraw_s : s_summary_s;
    if (display->show == AG_SHOW_NONE || now - display->drawn_s < every)
        return;
    display->drawn_s = now;
    if (display->show == AG_SHOW_PLAIN) {
        log_summary(display, counts);
        return;
    }
    redraw(display, counts);
}

void ag_display_finish(ag_display *display, const ag_run_counts *counts)
{
    display->ended = true;
    if (display->show == AG_SHOW_TTY)
        draw_end(display, counts);
    else if (display->show == AG_SHOW_PLAIN)
        log_summary(display, counts);
    display->lines = 0; /* what follows goes below */
    if (display->show == AG_SHOW_TTY)
        display->show = AG_SHOW_PLAIN; /* and nothing is drawn again */
}
