// SPDX-License-Identifier: Apache-2.0
#include "telemetry/process_metrics.h"

#include "base/clock.h"
#include "base/log.h"
#include "telemetry/metrics_state.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

// Of /proc/self/stat (proc(5)), counted from the state, which follows the name in brackets.
#define STAT_THREADS     17
#define STAT_START_TICKS 19
#define STAT_RSS_PAGES   21
#define STAT_FIELDS      22

struct stat_fields {
    long long fields[STAT_FIELDS];
};

// False: there is no /proc. The name may hold blanks and brackets, so that the last bracket counts.
static bool stat_read(struct stat_fields *out)
{
    char text[1024] = "";
    FILE *file = fopen("/proc/self/stat", "re");
    if (file == NULL)
        return false;
    const size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *at = strrchr(text, ')');
    if (at == NULL || strlen(at) < 4)
        return false;
    at += 3; // over the bracket, a blank and the state's letter
    int taken = 0;
    size_t i = 1;
    while (i < STAT_FIELDS && sscanf(at, "%lld%n", &out->fields[i], &taken) == 1) {
        at += taken;
        i++;
    }
    return i == STAT_FIELDS;
}

static int64_t boot_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void put_stat(struct metrics_scrape *scrape)
{
    struct stat_fields stat;
    if (!stat_read(&stat))
        return;
    const int64_t start_ns = stat.fields[STAT_START_TICKS] * (NS_PER_S / sysconf(_SC_CLK_TCK));
    METRIC_PUT(scrape, METRIC_PROCESS_THREADS, stat.fields[STAT_THREADS]);
    METRIC_PUT(scrape, METRIC_PROCESS_MEMORY, stat.fields[STAT_RSS_PAGES] * sysconf(_SC_PAGESIZE));
    METRIC_PUT(scrape, METRIC_PROCESS_UPTIME, boot_ns() - start_ns);
}

// Not getrusage's ru_maxrss: that survives exec, and so is often the peak of whoever started us.
static void put_memory_peak(struct metrics_scrape *scrape)
{
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL)
        return;
    char line[256];
    long long kib;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "VmHWM: %lld kB", &kib) == 1)
            METRIC_PUT(scrape, METRIC_PROCESS_MEMORY_PEAK, (int64_t)kib * 1024);
    }
    fclose(file);
}

static int64_t timeval_ns(struct timeval time)
{
    return time.tv_sec * NS_PER_S + time.tv_usec * NS_PER_US;
}

static void put_usage(struct metrics_scrape *scrape)
{
    struct rusage usage;
    CHECK_INT(getrusage(RUSAGE_SELF, &usage), ==, 0);
    METRIC_PUT(scrape, METRIC_PROCESS_CPU, timeval_ns(usage.ru_utime), "user");
    METRIC_PUT(scrape, METRIC_PROCESS_CPU, timeval_ns(usage.ru_stime), "system");
    METRIC_PUT(scrape, METRIC_PROCESS_FAULTS, usage.ru_minflt, "minor");
    METRIC_PUT(scrape, METRIC_PROCESS_FAULTS, usage.ru_majflt, "major");
    METRIC_PUT(scrape, METRIC_PROCESS_SWITCHES, usage.ru_nvcsw, "voluntary");
    METRIC_PUT(scrape, METRIC_PROCESS_SWITCHES, usage.ru_nivcsw, "involuntary");
}

static void put_files(struct metrics_scrape *scrape)
{
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return;
    int64_t count = -1; // the one that reads the folder
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    METRIC_PUT(scrape, METRIC_PROCESS_FILES, count);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        METRIC_PUT(scrape, METRIC_PROCESS_FILES_LIMIT, (int64_t)limit.rlim_cur);
}

static void put_log(struct metrics_scrape *scrape)
{
    const struct log_stats stats = log_stats();
    for (enum log_level level = LOG_DEBUG; level <= LOG_ERROR; level++)
        METRIC_PUT(scrape, METRIC_LOG_LINES, stats.lines[level], log_level_name(level));
    METRIC_PUT(scrape, METRIC_LOG_SUPPRESSED, stats.suppressed);
}

void process_metrics_put(struct metrics_scrape *scrape)
{
    put_stat(scrape);
    put_memory_peak(scrape);
    put_usage(scrape);
    put_files(scrape);
    put_log(scrape);
    METRIC_PUT(scrape, METRIC_SERIES_DROPPED, metric_series_dropped());
}
