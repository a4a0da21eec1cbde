/* Progress of an experiment: one redrawn block on a terminal, lines in a log. Only rank 0 draws,
 * and only from the board; what is drawn never decides anything.
 *
 * Under mpirun a rank's streams are pipes, so the terminal is looked for behind the launcher. */
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
#include "base/duration.h"
#include "base/log.h"
#include "base/printable.h"
#include "run_display.h"
#include "run_trainer.h"

enum { BAR_CELLS = 20, LEAST_WIDTH = 40, OTHER_LINES = 3, LONGEST_LINE = 512 };

/* Ten frames a second look alive; in a log one line a minute is enough for days. */
static const double s_redraw_s = 0.1;
static const double s_summary_s = 60.0;

struct ag_display {
    ag_show show; /* never AG_SHOW_AUTO */
    int terminal; /* descriptor that knows the window's size; -1 */
    bool coloured;
    bool ended; /* nothing runs any more, and nothing is drawn */
    const char *experiment;
    const ag_board *board;
    double began_s;
    double drawn_s;
    int lines;               /* of the block that stands on the screen */
    char last[LONGEST_LINE]; /* event */
    ag_text frame;
};

/* --- where it goes */

/* Open MPI, MPICH and whatever speaks PMIx set one of these for each rank. */
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

/* A rank's own stderr is a pipe to its launcher, so the launcher's is asked. Only its size is asked
 * for; nothing is read from it or written to it. */
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

/* Compared by what they are called in /proc: two descriptors of one terminal have one name. */
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

/* "dumb" is what editors and some CI services set: escapes would be shown as text. */
static bool is_capable(void)
{
    const char *term = getenv("TERM");
    return term != NULL && strcmp(term, "dumb") != 0;
}

/* NO_COLOR asks for no colour by being set to anything (no-color.org). */
static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0';
}

/* A terminal that was asked for by name is drawn on whatever is known of it. */
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

ag_status ag_display_create(ag_display **out, ag_show show, const char *experiment,
                            const ag_board *board)
{
    ag_display *display = calloc(1, sizeof *display);
    if (display == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    *display = (ag_display){.board = board, .experiment = experiment, .began_s = ag_clock_s()};
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
    free(display);
}

/* Asked for each frame: windows change, and a signal handler for that would be one more thing to go
 * wrong. A pipe has the usual size. */
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

/* One write a frame: a terminal that shows half of one flickers. What cannot be written is dropped:
 * a display must not end an experiment. */
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

/* From the work that this command did in its time; what stood in checkpoints is no measure of its
 * speed. Nothing is said in the first second. */
static void write_eta(char text[AG_DURATION_TEXT], const ag_display *display,
                      const ag_run_counts *counts)
{
    double elapsed = ag_clock_s() - display->began_s;
    double share = ag_board_share(display->board, counts);
    double before = ag_board_share_before(counts);
    if (share >= 1.0)
        ag_duration_short(text, 0.0);
    else if (share <= before || elapsed < 1.0)
        snprintf(text, AG_DURATION_TEXT, "?");
    else
        ag_duration_short(text, elapsed * (1.0 - share) / (share - before));
}

/* Colour adds to words and never replaces them. */
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
    if (left == 0 || display->ended)
        return;
    ag_text_printf(text, " (%d running", ag_board_running(display->board));
    if (counts->waiting > 0)
        ag_text_printf(text, ", %zu waiting for a trunk", counts->waiting);
    ag_text_add(text, ")");
}

/* --- the block */

/* Clears what an earlier, longer line has left. */
static void end_line(ag_display *display)
{
    ag_text_add(&display->frame, "\033[K\n");
    display->lines++;
}

/* Of narrow windows the counts matter most, and stay longest. */
static void add_bar(ag_display *display, const ag_run_counts *counts, int width)
{
    char bar[BAR_CELLS + 1];
    char eta[AG_DURATION_TEXT];
    int filled = (int)(ag_board_share(display->board, counts) * BAR_CELLS);
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', (size_t)filled);
    bar[BAR_CELLS] = '\0';
    ag_text *frame = &display->frame;
    write_eta(eta, display, counts);
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

/* With widths, so that columns stand still while numbers grow. */
static void write_numbers(char *text, size_t size, const ag_board_row *row, bool with_rate)
{
    const ag_job_progress *now = &row->now;
    if (now->steps == 0) {
        snprintf(text, size, "starting");
        return;
    }
    int used = snprintf(text, size, "step %6lld/%lld", (long long)now->step, (long long)now->steps);
    char *rest = text + used;
    size_t room = size - (size_t)used;
    if (now->phase == AG_RUN_TRAINER_EVALUATING)
        snprintf(rest, room, "  evaluating");
    else if (now->step > 0 && row->tokens_per_s > 0.0 && with_rate)
        snprintf(rest, room, "  loss %7.4f %9.0f tok/s", now->value, row->tokens_per_s);
    else if (now->step > 0)
        snprintf(rest, room, "  loss %7.4f", now->value);
}

/* The numbers stand in a column of their own, the last of them only where there is room; the name
 * is shortened to what they leave. Names tell runs apart, and so lose their middle before the
 * numbers lose anything. */
static void add_row(ag_display *display, int rank, int width)
{
    enum { NUMBERS = 52, FEWER_NUMBERS = 36, NARROW = 100 };
    char numbers[96];
    const ag_board_row *row = &display->board->rows[rank];
    bool narrow = width < NARROW;
    int left = narrow ? FEWER_NUMBERS : NUMBERS;
    write_numbers(numbers, sizeof numbers, row, !narrow);
    ag_text_printf(&display->frame, "%4d  ", rank);
    ag_text name;
    ag_text_init(&name);
    ag_text_add_printable(&name, row->task->name);
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

/* At most as high as the window: a block that scrolls can never be drawn over again. */
static void draw_block(ag_display *display, const ag_run_counts *counts)
{
    int width;
    int height;
    window_size(&width, &height, display);
    int room = height - OTHER_LINES;
    int active = ag_board_running(display->board);
    int shown = 0;
    display->lines = 0;
    add_bar(display, counts, width);
    for (int rank = 0; rank < display->board->ranks; rank++) {
        if (display->board->rows[rank].task == NULL)
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

/* Without wrapping at the right edge: a line too long is cut, and the block keeps its height.
 * Turned on again in the same write, whatever follows. */
static void redraw(ag_display *display, const ag_run_counts *counts)
{
    ag_text_add(&display->frame, "\033[?7l");
    go_up(display);
    draw_block(display, counts);
    ag_text_add(&display->frame, "\033[?7h");
    flush_frame(display);
}

/* --- events, time */

/* What is only news goes into the block's last line; a warning or error stays on the screen, above
 * the block. */
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

void ag_display_warn_of_error(ag_display *display)
{
    ag_display_event(display, AG_LOG_WARNING, "%s", ag_error_message());
    ag_error_clear();
}

/* The same words as on the terminal. */
static void log_summary(ag_display *display, const ag_run_counts *counts)
{
    char eta[AG_DURATION_TEXT];
    write_eta(eta, display, counts);
    add_counts(&display->frame, display, counts);
    if (!display->ended)
        ag_text_printf(&display->frame, ", ETA %s", eta);
    ag_log(AG_LOG_INFO, "%s", display->frame.data);
    ag_text_deinit(&display->frame);
}

/* A log's first summary comes after the first minute: the beginning was told by an event. */
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

/* The last frame stays and tells how it ended. */
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
