/* How calls are named and written down. A line of the record is
 *
 *   what TAB name TAB path TAB detail
 *
 * `what` is `call` or `held` before the call is made, `fault` where it meets one, and for calls that
 * change something `done` or `failed` afterwards. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shim.h"

enum { MOST_RULES = 64, MOST_NAMES = 1024 };

static struct rule {
    char *kind, *pattern;
} rules[MOST_RULES];
static int number_of_rules;
static const char *record;
static bool all;
static long pace;

/* How often a name has come. */
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char name[LONGEST_NAME];
    int times;
} counts[MOST_NAMES];

__attribute__((constructor)) static void begin(void) {
    const char *given = getenv("SHIM_RULES");
    if (given == NULL) return;
    record = getenv("SHIM_RECORD");
    all = getenv("SHIM_ALL") != NULL;
    const char *slowly = getenv("SHIM_PACE");
    pace = slowly != NULL ? atol(slowly) : 0;
    char *rest = strdup(given), *line;
    while ((line = strsep(&rest, "\n")) != NULL && number_of_rules < MOST_RULES) {
        char *pattern = strchr(line, '=');
        if (pattern == NULL) continue;
        *pattern++ = 0;
        rules[number_of_rules++] = (struct rule){line, pattern};
    }
}

bool is_on(void) { return number_of_rules > 0; }

bool wants_all(void) { return all; }

const char *kind_of(const char *path) {
    for (int i = 0; i < number_of_rules; i++)
        if (fnmatch(rules[i].pattern, path, 0) == 0) return rules[i].kind;
    return NULL;
}

void keep_pace(const char *kind) {
    if (pace == 0 || kind == NULL || strcmp(kind, INPUT) != 0) return;
    const struct timespec rest = {pace / 1000000, pace % 1000000 * 1000};
    nanosleep(&rest, NULL);
}

static int next_number(const char *name) {
    int times = 0;
    pthread_mutex_lock(&counting);
    for (int i = 0; i < MOST_NAMES; i++) {
        if (counts[i].times == 0) snprintf(counts[i].name, LONGEST_NAME, "%s", name);
        if (strcmp(counts[i].name, name) == 0) {
            times = ++counts[i].times;
            break;
        }
    }
    pthread_mutex_unlock(&counting);
    return times;
}

void name_call(struct call *call, const char *verb, const char *kind, bool changes) {
    char thread[17] = "main";
    if (syscall(SYS_gettid) != getpid()) pthread_getname_np(pthread_self(), thread, sizeof thread);
    snprintf(call->name, LONGEST_NAME, "%s:%s:%s", thread, verb, kind);
    int length = strlen(call->name);
    snprintf(call->name + length, LONGEST_NAME - length, ":%d", next_number(call->name));
    call->changes = changes;
}

void note(const char *what, const struct call *call) {
    if (record == NULL) return;
    char line[LONGEST_LINE];
    snprintf(line, sizeof line, "%s\t%s\t%s\t%s\n", what, call->name, call->path, call->detail);
    int file = syscall(SYS_openat, AT_FDCWD, record, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (file < 0) return;
    syscall(SYS_write, file, line, strlen(line));
    syscall(SYS_close, file);
}

void path_of(int file, char path[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
}

void whole_path(int folder, const char *path, char whole[PATH_MAX]) {
    if (path[0] == '/') {
        snprintf(whole, PATH_MAX, "%s", path);
        return;
    }
    path_of(folder, whole);
    if (folder == AT_FDCWD && getcwd(whole, PATH_MAX) == NULL) whole[0] = 0;
    size_t length = strlen(whole);
    if (path[0] != 0) snprintf(whole + length, PATH_MAX - length, "/%s", path);
}
