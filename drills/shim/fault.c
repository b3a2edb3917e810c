/* Plants one fault at one call. SHIM_FAULT is the name of the call, a tab, and one of
 *
 *   dies-before, dies-after       the process is killed before the call, or once it has taken effect
 *   eio, eio-3, eio-on            it fails without effect; so do the next calls of any thread with its
 *   enospc, enospc-3              verb and kind of path, three in all or for good
 *   lost                          it takes effect and is answered with an error
 *   short                         of what is to be written only the first half is
 *   short-enospc                  the same, and the next such call finds the disk full
 *   gate                          a sync fails, and what it should have made durable is gone: once a
 *                                 page could not be written, Linux forgets that it was changed */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

static char at[LONGEST_NAME], like[LONGEST_NAME];
static const char *fault;

static pthread_mutex_t failing = PTHREAD_MUTEX_INITIALIZER;
/* How many more calls fail that are like the chosen one, and how. */
static int left, error_of_left;

__attribute__((constructor)) static void begin(void) {
    const char *given = getenv("SHIM_FAULT");
    const char *tab = given != NULL ? strchr(given, '\t') : NULL;
    if (tab == NULL) return;
    snprintf(at, sizeof at, "%.*s", (int)(tab - given), given);
    fault = tab + 1;
    /* Without the thread and the number. */
    const char *verb = strchr(at, ':'), *number = strrchr(at, ':');
    if (verb != NULL) snprintf(like, sizeof like, "%.*s", (int)(number - verb + 1), verb);
}

static bool is(const char *word) { return strcmp(fault, word) == 0; }

static bool is_chosen(const struct call *call) { return fault != NULL && strcmp(call->name, at) == 0; }

static bool is_alike(const struct call *call) {
    const char *verb = strchr(call->name, ':');
    return verb != NULL && strncmp(verb, like, strlen(like)) == 0;
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* Whether the call is to be made at all. If not, `errno` is set. */
bool is_let_through(const struct call *call) {
    if (fault == NULL) return true;
    int error = 0;
    pthread_mutex_lock(&failing);
    if (is_chosen(call)) {
        note("fault", call);
        if (is("dies-before")) die();
        bool full = strncmp(fault, "enospc", 6) == 0;
        if (full || strncmp(fault, "eio", 3) == 0) {
            const char *more = strchr(fault, '-');
            error = full ? ENOSPC : EIO;
            left = more == NULL ? 0 : strcmp(more, "-on") == 0 ? INT_MAX : atoi(more + 1) - 1;
        }
        if (is("short-enospc")) left = 1;
        error_of_left = is("short-enospc") ? ENOSPC : error;
    } else if (left > 0 && is_alike(call)) {
        left -= left < INT_MAX;
        error = error_of_left;
        note("fault", call);
    }
    pthread_mutex_unlock(&failing);
    if (error != 0) errno = error;
    return error == 0;
}

/* How much of a write takes place. */
size_t let_through_of(const struct call *call, size_t size) {
    if (!is_chosen(call) || strncmp(fault, "short", 5) != 0) return size;
    return size > 1 ? size / 2 : size;
}

/* What the program hears of a call that was made. */
long answered(const struct call *call, long result) {
    if (!is_chosen(call)) return result;
    if (is("dies-after")) die();
    if (!(is("lost") || is("gate")) || result < 0) return result;
    errno = EIO;
    return -1;
}

/* What was written to files of the chosen kind and has not been synced, the newest first. */
static struct unsynced {
    struct unsynced *before;
    char path[PATH_MAX];
    off_t at, length_before;
    ssize_t size;
    char bytes[];
} *unsynced;

/* To be called before `size` bytes are written at `at`; at -1 is the place where the file stands. */
void may_be_lost(const struct call *call, int file, long place, size_t size) {
    struct stat status;
    const char *kind = strchr(like + (like[0] == ':'), ':');
    const char *own = strchr(call->name, ':');
    if (fault == NULL || !is("gate") || kind == NULL || own == NULL) return;
    own = strchr(own + 1, ':');
    if (own == NULL || strncmp(own, kind, strlen(kind)) != 0) return;
    if (place < 0) place = syscall(SYS_lseek, file, 0, SEEK_CUR);
    if (syscall(SYS_fstat, file, &status) != 0) return;
    struct unsynced *entry = malloc(sizeof *entry + size);
    entry->at = place;
    entry->length_before = status.st_size;
    snprintf(entry->path, PATH_MAX, "%s", call->path);
    /* A file that cannot be read through this handle is new: nothing was there before. To open it a
     * second time would drop the locks that the program has on it. */
    entry->size = place < status.st_size ? syscall(SYS_pread64, file, entry->bytes, size, place) : 0;
    pthread_mutex_lock(&failing);
    entry->before = unsynced;
    unsynced = entry;
    pthread_mutex_unlock(&failing);
}

/* To be called before a sync: it loses what it should keep, or what was written is safe. */
void is_synced(const struct call *call, int file) {
    if (fault == NULL || !is("gate")) return;
    bool loses = is_chosen(call);
    pthread_mutex_lock(&failing);
    for (struct unsynced **link = &unsynced; *link != NULL;) {
        struct unsynced *entry = *link;
        if (strcmp(entry->path, call->path) != 0) {
            link = &entry->before;
            continue;
        }
        if (loses) {
            if (entry->size > 0) syscall(SYS_pwrite64, file, entry->bytes, entry->size, entry->at);
            syscall(SYS_ftruncate, file, entry->length_before);
        }
        *link = entry->before;
        free(entry);
    }
    pthread_mutex_unlock(&failing);
}
