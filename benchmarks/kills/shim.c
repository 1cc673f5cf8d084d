/* Preloaded into a command and all its children: logs the calls that change files below a folder,
 * and kills at a chosen one.
 *
 * KILLS_ROOT     only paths below this folder count; it ends in a slash
 * KILLS_COUNT    a file of 8 bytes that all processes share: how many calls matched so far
 * KILLS_LOG      append a line for each call: operation, program, path below the root
 * KILLS_PATTERN  a pattern of fnmatch(3) for such a line; without it, nothing is killed
 * KILLS_NTH      kill at the n-th match
 * KILLS_GROUP    kill this process group; 0: only the process that makes the call
 *
 * A call that matches is made, and then comes the kill: what a process does next never happens.
 * Calls that fail don't count.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINE (2 * PATH_MAX)

static struct {
    int ready, log;
    uint64_t *count;
    const char *root, *pattern;
    uint64_t nth;
    pid_t group;
    char program[120];
} shim = {.log = -1};

static int plain_open(const char *path, int flags) {
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
}

/* The program and its command, such as `git commit` or `dvc add`; options are left out. */
static void name_program(void) {
    char words[2048];
    int file = plain_open("/proc/self/cmdline", O_RDONLY);
    ssize_t length = file < 0 ? 0 : read(file, words, sizeof words - 1);
    if (file >= 0) close(file);
    size_t used = 0;
    int taken = 0, skip = 0;
    for (ssize_t at = 0; at < length && taken < 2;) {
        words[length] = 0;
        const char *word = words + at, *slash = strrchr(word, '/');
        at += (ssize_t)strlen(word) + 1;
        if (skip) { skip = 0; continue; }
        if (!strcmp(word, "-c") || !strcmp(word, "-C")) { skip = 1; continue; }
        if (word[0] == '-' || strstr(word, "python")) continue;
        used += (size_t)snprintf(shim.program + used, sizeof shim.program - used, "%s%.40s",
                                 taken ? "-" : "", slash ? slash + 1 : word);
        if (used >= sizeof shim.program) break;
        taken++;
    }
    if (!used) strcpy(shim.program, "python");
}

static void prepare(void) {
    if (shim.ready) return;
    shim.ready = 1;
    const char *count = getenv("KILLS_COUNT"), *log = getenv("KILLS_LOG");
    shim.root = getenv("KILLS_ROOT");
    if (!shim.root || !count) return;
    int file = plain_open(count, O_RDWR);
    if (file < 0) return;
    void *shared = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared == MAP_FAILED) return;
    shim.count = shared;
    shim.pattern = getenv("KILLS_PATTERN");
    const char *nth = getenv("KILLS_NTH"), *group = getenv("KILLS_GROUP");
    shim.nth = nth ? strtoull(nth, NULL, 10) : 1;
    shim.group = group ? atoi(group) : 0;
    if (log) {
        file = plain_open(log, O_WRONLY | O_APPEND | O_CREAT);
        shim.log = file < 0 ? -1 : fcntl(file, F_DUPFD_CLOEXEC, 700); /* out of programs' way */
        if (file >= 0) close(file);
    }
    name_program();
}

static int absolute(int folder, const char *path, char *whole) {
    char base[PATH_MAX] = "";
    if (path[0] == '/') return snprintf(whole, PATH_MAX, "%s", path) < PATH_MAX;
    if (folder == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) return 0;
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, base, sizeof base - 1);
        if (length <= 0) return 0;
        base[length] = 0;
    }
    return snprintf(whole, PATH_MAX, "%s/%s", base, path) < PATH_MAX;
}

/* Log a call; return whether it is the one to kill at. */
static int chosen(const char *operation, int folder, const char *path) {
    prepare();
    char whole[PATH_MAX], line[LINE];
    if (!shim.count || !path || !absolute(folder, path, whole)) return 0;
    size_t length = strlen(shim.root);
    if (strncmp(whole, shim.root, length) || strstr(whole, "__pycache__")) return 0;
    int size = snprintf(line, sizeof line, "%s %s %s\n", operation, shim.program, whole + length);
    if (size >= (int)sizeof line) return 0;
    if (shim.log >= 0 && write(shim.log, line, (size_t)size) < 0) return 0;
    if (!shim.pattern) return 0;
    line[size - 1] = 0;
    return !fnmatch(shim.pattern, line, 0) && __sync_add_and_fetch(shim.count, 1) == shim.nth;
}

static void end(void) {
    kill(shim.group ? -shim.group : getpid(), SIGKILL);
    for (;;) pause();
}

#define NEXT(type, name, ...) \
    static type (*next)(__VA_ARGS__); \
    if (!next) next = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)
#define CALL(type, failure, operation, folder, path, call) \
    type result = call; \
    int error = errno; \
    if (result != failure && chosen(operation, folder, path)) end(); \
    errno = error; \
    return result

int rename(const char *from, const char *to) {
    NEXT(int, rename, const char *, const char *);
    CALL(int, -1, "rename", AT_FDCWD, to, next(from, to));
}
int renameat(int from_folder, const char *from, int folder, const char *to) {
    NEXT(int, renameat, int, const char *, int, const char *);
    CALL(int, -1, "rename", folder, to, next(from_folder, from, folder, to));
}
int renameat2(int from_folder, const char *from, int folder, const char *to, unsigned flags) {
    NEXT(int, renameat2, int, const char *, int, const char *, unsigned);
    CALL(int, -1, "rename", folder, to, next(from_folder, from, folder, to, flags));
}
int link(const char *from, const char *to) {
    NEXT(int, link, const char *, const char *);
    CALL(int, -1, "link", AT_FDCWD, to, next(from, to));
}
int linkat(int from_folder, const char *from, int folder, const char *to, int flags) {
    NEXT(int, linkat, int, const char *, int, const char *, int);
    CALL(int, -1, "link", folder, to, next(from_folder, from, folder, to, flags));
}
int symlink(const char *target, const char *path) {
    NEXT(int, symlink, const char *, const char *);
    CALL(int, -1, "symlink", AT_FDCWD, path, next(target, path));
}
int symlinkat(const char *target, int folder, const char *path) {
    NEXT(int, symlinkat, const char *, int, const char *);
    CALL(int, -1, "symlink", folder, path, next(target, folder, path));
}
int unlink(const char *path) {
    NEXT(int, unlink, const char *);
    CALL(int, -1, "unlink", AT_FDCWD, path, next(path));
}
int unlinkat(int folder, const char *path, int flags) {
    NEXT(int, unlinkat, int, const char *, int);
    CALL(int, -1, flags & AT_REMOVEDIR ? "rmdir" : "unlink", folder, path, next(folder, path, flags));
}
int rmdir(const char *path) {
    NEXT(int, rmdir, const char *);
    CALL(int, -1, "rmdir", AT_FDCWD, path, next(path));
}
int mkdir(const char *path, mode_t mode) {
    NEXT(int, mkdir, const char *, mode_t);
    CALL(int, -1, "mkdir", AT_FDCWD, path, next(path, mode));
}
int mkdirat(int folder, const char *path, mode_t mode) {
    NEXT(int, mkdirat, int, const char *, mode_t);
    CALL(int, -1, "mkdir", folder, path, next(folder, path, mode));
}

static const char *path_of(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return NULL;
    path[length] = 0;
    return path;
}
int fsync(int file) {
    NEXT(int, fsync, int);
    char path[PATH_MAX];
    CALL(int, -1, "fsync", AT_FDCWD, path_of(file, path), next(file));
}
int fdatasync(int file) {
    NEXT(int, fdatasync, int);
    char path[PATH_MAX];
    CALL(int, -1, "fsync", AT_FDCWD, path_of(file, path), next(file));
}

#define OPEN(name, folder, declared, passed) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    } \
    NEXT(int, name, declared); \
    if (!(flags & (O_CREAT | O_TRUNC))) return next passed; \
    CALL(int, -1, flags & O_TRUNC ? "truncate" : "create", folder, path, next passed)
#define WITHOUT_FOLDER const char *, int, ...
#define WITH_FOLDER int, const char *, int, ...
int open(const char *path, int flags, ...) {
    OPEN(open, AT_FDCWD, WITHOUT_FOLDER, (path, flags, mode));
}
int open64(const char *path, int flags, ...) {
    OPEN(open64, AT_FDCWD, WITHOUT_FOLDER, (path, flags, mode));
}
int openat(int folder, const char *path, int flags, ...) {
    OPEN(openat, folder, WITH_FOLDER, (folder, path, flags, mode));
}
int openat64(int folder, const char *path, int flags, ...) {
    OPEN(openat64, folder, WITH_FOLDER, (folder, path, flags, mode));
}
FILE *fopen(const char *path, const char *mode) {
    NEXT(FILE *, fopen, const char *, const char *);
    if (mode[0] == 'r') return next(path, mode);
    CALL(FILE *, NULL, mode[0] == 'w' ? "truncate" : "create", AT_FDCWD, path, next(path, mode));
}
FILE *fopen64(const char *path, const char *mode) {
    NEXT(FILE *, fopen64, const char *, const char *);
    if (mode[0] == 'r') return next(path, mode);
    CALL(FILE *, NULL, mode[0] == 'w' ? "truncate" : "create", AT_FDCWD, path, next(path, mode));
}
