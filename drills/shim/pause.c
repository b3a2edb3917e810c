/* Stands between a program and its C library, writes down which files the program touches in which
 * order, and holds chosen calls back until a file appears. It knows nothing of the program.
 *
 * A call is named by four words: the thread, the verb, the kind of path, and how many calls with
 * these three words there have been: `committer:link:store-log:2`. What the kinds of paths are is
 * said from outside; paths of no kind are let through unseen.
 *
 *   PAUSE_RULES     lines `kind=pattern`; the first pattern that fits a path decides
 *   PAUSE_RECORD    a file to which every call is appended before it happens; for those that give
 *                   a file its name (link, rename) what came of them, too
 *   PAUSE_AT        the names of the calls that are held back, a line for each
 *   PAUSE_REACHED   with a dash and the number of the line after it: a file that is created when
 *                   that call is held back
 *   PAUSE_GO        the same for the file that lets it go on
 *   PAUSE_PACE      how many microseconds each read of a path of the kind `input` takes at least, so
 *                   that a small input lasts for some checkpoints; reads are not written down
 *
 * All is loaded before `main`; without PAUSE_RULES it does nothing. What it does itself goes past
 * the C library, or it would see its own calls. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define INPUT "input"

enum { MOST_RULES = 64, MOST_NAMES = 1024, LONGEST_NAME = 128, LONGEST_LINE = PATH_MAX + 512 };

struct rule {
    char *kind, *pattern;
};

static struct rule rules[MOST_RULES];
static int number_of_rules;
static const char *record, *chosen, *reached, *go;
static pid_t parent;
static long pace;

/* How often a name has come. */
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char name[LONGEST_NAME];
    int times;
} counts[MOST_NAMES];

__attribute__((constructor)) static void begin(void) {
    const char *given = getenv("PAUSE_RULES");
    if (given == NULL) return;
    record = getenv("PAUSE_RECORD");
    chosen = getenv("PAUSE_AT");
    reached = getenv("PAUSE_REACHED");
    go = getenv("PAUSE_GO");
    const char *slowly = getenv("PAUSE_PACE");
    pace = slowly != NULL ? atol(slowly) : 0;
    parent = getppid();
    char *rest = strdup(given), *line;
    while ((line = strsep(&rest, "\n")) != NULL && number_of_rules < MOST_RULES) {
        char *pattern = strchr(line, '=');
        if (pattern == NULL) continue;
        *pattern++ = 0;
        rules[number_of_rules++] = (struct rule){line, pattern};
    }
}

static const char *kind_of(const char *path) {
    for (int i = 0; i < number_of_rules; i++)
        if (fnmatch(rules[i].pattern, path, 0) == 0) return rules[i].kind;
    return NULL;
}

static void append(const char *line) {
    if (record == NULL) return;
    int file = syscall(SYS_openat, AT_FDCWD, record, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (file < 0) return;
    syscall(SYS_write, file, line, strlen(line));
    syscall(SYS_close, file);
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

/* The number of the line of PAUSE_AT that is this name; 0 if there is none. */
static int line_of(const char *name) {
    size_t length = strlen(name);
    int number = 1;
    for (const char *line = chosen; line != NULL; number++) {
        if (strncmp(line, name, length) == 0 && (line[length] == 0 || line[length] == '\n')) return number;
        line = strchr(line, '\n');
        if (line != NULL) line++;
    }
    return 0;
}

static void hold(int number) {
    char there[PATH_MAX], free_to_go[PATH_MAX];
    snprintf(there, sizeof there, "%s-%d", reached, number);
    snprintf(free_to_go, sizeof free_to_go, "%s-%d", go, number);
    int file = syscall(SYS_openat, AT_FDCWD, there, O_WRONLY | O_CREAT, 0644);
    if (file >= 0) syscall(SYS_close, file);
    const struct timespec while_waiting = {0, 500 * 1000};
    while (syscall(SYS_faccessat, AT_FDCWD, free_to_go, F_OK) != 0) {
        /* Nobody is left who could let it go on. */
        if (getppid() != parent) _exit(99);
        nanosleep(&while_waiting, NULL);
    }
}

/* To be called before the call is made. Writes its name to `name`; that is empty where the path is
 * of no kind. */
static void before(const char *verb, const char *path, char name[LONGEST_NAME]) {
    int error = errno;
    name[0] = 0;
    const char *kind = number_of_rules > 0 ? kind_of(path) : NULL;
    if (kind != NULL && strcmp(kind, INPUT) != 0) {
        char thread[17] = "main", line[LONGEST_LINE];
        if (syscall(SYS_gettid) != getpid()) pthread_getname_np(pthread_self(), thread, sizeof thread);
        snprintf(name, LONGEST_NAME, "%s:%s:%s", thread, verb, kind);
        int length = strlen(name);
        snprintf(name + length, LONGEST_NAME - length, ":%d", next_number(name));
        int held = line_of(name);
        snprintf(line, sizeof line, "%s\t%s\t%s\n", held ? "held" : "call", name, path);
        append(line);
        if (held != 0) hold(held);
    }
    errno = error;
}

static void after(const char *name, int result) {
    int error = errno;
    if (name[0] != 0) {
        char line[LONGEST_LINE];
        snprintf(line, sizeof line, "%s\t%s\t\n", result == 0 ? "done" : "failed", name);
        append(line);
    }
    errno = error;
}

static void path_of(int file, char path[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
}

static void before_file(const char *verb, int file) {
    char path[PATH_MAX], name[LONGEST_NAME];
    int error = errno;
    if (number_of_rules == 0) return;
    path_of(file, path);
    errno = error;
    before(verb, path, name);
}

static void before_at(const char *verb, int folder, const char *path, char name[LONGEST_NAME]) {
    char whole[PATH_MAX];
    int error = errno;
    if (path[0] == '/') return before(verb, path, name);
    path_of(folder, whole);
    if (folder == AT_FDCWD && getcwd(whole, sizeof whole) == NULL) whole[0] = 0;
    size_t length = strlen(whole);
    snprintf(whole + length, sizeof whole - length, "/%s", path);
    errno = error;
    before(verb, whole, name);
}

/* Reads happen often and change nothing: only the pace is kept. */
static void before_read(int file) {
    char path[PATH_MAX];
    if (pace == 0) return;
    int error = errno;
    path_of(file, path);
    const char *kind = kind_of(path);
    if (kind != NULL && strcmp(kind, INPUT) == 0) {
        const struct timespec rest = {pace / 1000000, pace % 1000000 * 1000};
        nanosleep(&rest, NULL);
    }
    errno = error;
}

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    int error = errno;
    void *found = dlsym(RTLD_NEXT, name);
    errno = error;
    return found;
}

#define MODE(flags, mode)                             \
    mode_t mode = 0;                                  \
    if (((flags) & O_CREAT) != 0) {                   \
        va_list more;                                 \
        va_start(more, flags);                        \
        mode = va_arg(more, mode_t);                  \
        va_end(more);                                 \
    }
#define VERB(flags) (((flags) & O_CREAT) != 0 ? "create" : "open")

#define OPEN(symbol)                                                     \
    int symbol(const char *path, int flags, ...) {                       \
        MODE(flags, mode)                                                \
        char name[LONGEST_NAME];                                         \
        before_at(VERB(flags), AT_FDCWD, path, name);                    \
        return REAL(symbol)(path, flags, mode);                          \
    }
OPEN(open)
OPEN(open64)

#define OPEN_AT(symbol)                                                  \
    int symbol(int folder, const char *path, int flags, ...) {           \
        MODE(flags, mode)                                                \
        char name[LONGEST_NAME];                                         \
        before_at(VERB(flags), folder, path, name);                      \
        return REAL(symbol)(folder, path, flags, mode);                  \
    }
OPEN_AT(openat)
OPEN_AT(openat64)

#define CREAT(symbol)                                                    \
    int symbol(const char *path, mode_t mode) {                          \
        char name[LONGEST_NAME];                                         \
        before_at("create", AT_FDCWD, path, name);                       \
        return REAL(symbol)(path, mode);                                 \
    }
CREAT(creat)
CREAT(creat64)

/* Of what fcntl does only locks matter to others; its third word is a number or a pointer, which are
 * passed on alike. */
static void before_lock(int file, int command, void *word) {
    switch (command) {
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        before_file(((struct flock *)word)->l_type == F_UNLCK ? "unlock" : "lock", file);
    }
}

#define FCNTL(symbol)                                                    \
    int symbol(int file, int command, ...) {                             \
        va_list more;                                                    \
        va_start(more, command);                                         \
        void *word = va_arg(more, void *);                               \
        va_end(more);                                                    \
        before_lock(file, command, word);                                \
        return REAL(symbol)(file, command, word);                        \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

#define ON_FILE(type, symbol, verb, parameters, ...)                     \
    type symbol parameters {                                             \
        before_file(verb, file);                                         \
        return REAL(symbol)(__VA_ARGS__);                                \
    }
ON_FILE(ssize_t, write, "write", (int file, const void *bytes, size_t size), file, bytes, size)
ON_FILE(ssize_t, writev, "write", (int file, const struct iovec *parts, int size), file, parts, size)
ON_FILE(ssize_t, pwrite, "write", (int file, const void *bytes, size_t size, off_t at), file, bytes, size, at)
ON_FILE(ssize_t, pwrite64, "write", (int file, const void *bytes, size_t size, off64_t at), file, bytes, size, at)
ON_FILE(int, fsync, "fsync", (int file), file)
ON_FILE(int, fdatasync, "fsync", (int file), file)
ON_FILE(int, ftruncate, "truncate", (int file, off_t size), file, size)
ON_FILE(int, ftruncate64, "truncate", (int file, off64_t size), file, size)

#define READ(symbol, parameters, ...)                                    \
    ssize_t symbol parameters {                                          \
        before_read(file);                                               \
        return REAL(symbol)(__VA_ARGS__);                                \
    }
READ(read, (int file, void *bytes, size_t size), file, bytes, size)
READ(pread, (int file, void *bytes, size_t size, off_t at), file, bytes, size, at)
READ(pread64, (int file, void *bytes, size_t size, off64_t at), file, bytes, size, at)

#define ON_PATH(type, symbol, verb, parameters, folder, path, ...)       \
    type symbol parameters {                                             \
        char name[LONGEST_NAME];                                         \
        before_at(verb, folder, path, name);                             \
        return REAL(symbol)(__VA_ARGS__);                                \
    }
ON_PATH(int, unlink, "unlink", (const char *path), AT_FDCWD, path, path)
ON_PATH(int, unlinkat, "unlink", (int in, const char *path, int flags), in, path, in, path, flags)
ON_PATH(int, rmdir, "rmdir", (const char *path), AT_FDCWD, path, path)
ON_PATH(int, mkdir, "mkdir", (const char *path, mode_t mode), AT_FDCWD, path, path, mode)
ON_PATH(int, mkdirat, "mkdir", (int in, const char *path, mode_t mode), in, path, in, path, mode)
ON_PATH(DIR *, opendir, "list", (const char *path), AT_FDCWD, path, path)

/* The kind is that of the new name: it is what others see. */
#define GIVES_NAME(symbol, verb, parameters, folder, path, ...)          \
    int symbol parameters {                                              \
        char name[LONGEST_NAME];                                         \
        before_at(verb, folder, path, name);                             \
        int result = REAL(symbol)(__VA_ARGS__);                          \
        after(name, result);                                             \
        return result;                                                   \
    }
GIVES_NAME(link, "link", (const char *from, const char *to), AT_FDCWD, to, from, to)
GIVES_NAME(linkat, "link", (int in, const char *from, int into, const char *to, int flags), into, to, in, from, into, to, flags)
GIVES_NAME(rename, "rename", (const char *from, const char *to), AT_FDCWD, to, from, to)
GIVES_NAME(renameat, "rename", (int in, const char *from, int into, const char *to), into, to, in, from, into, to)
GIVES_NAME(renameat2, "rename", (int in, const char *from, int into, const char *to, unsigned flags), into, to, in, from, into, to, flags)
