/* A stand-in for libnvidia-ml.so.1: answers the NVML calls that mlpack uses from a text file, so that the real binding
 * runs without a card. NVML_ANSWERS names the file; a line is `key value`:
 *
 *   init 9                      result of nvmlInitWithFlags (an error's number: nvml.h, nvmlReturn_t); without it 0
 *   driver 550.54.15            nvmlSystemGetDriverVersion
 *   cuda 12040                  nvmlSystemGetCudaDriverVersion_v2
 *   count 2                     nvmlDeviceGetCount_v2
 *   0.name NVIDIA A10G          and so on for each card: uuid, memory (total free used, bytes),
 *   0.capability 8 6            mig (current pending), processes (how many)
 *   1.memory error 999          any key may fail with a number instead
 *
 * A key that is missing answers NVML_ERROR_NOT_SUPPORTED (3), as real cards do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7 };

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int pid; unsigned long long bytes; unsigned int gpu, compute; } process_t;

static int running;

/* The value of `key` into `value`; the result code that the file gives for it. */
static int answer(const char *key, char *value, size_t size) {
    char line[512];
    size_t length = strlen(key);
    int result = NOT_SUPPORTED;
    const char *path = getenv("NVML_ANSWERS");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file) return 999;
    while (result == NOT_SUPPORTED && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, key, length) || line[length] != ' ') continue;
        if (sscanf(line + length, " error %d", &result) == 1) break;
        snprintf(value, size, "%s", line + length + 1);
        result = SUCCESS;
    }
    fclose(file);
    return result;
}

static int of(void *device, const char *fact, char *value, size_t size) {
    char key[64];
    if (!running) return UNINITIALIZED;
    snprintf(key, sizeof key, "%d.%s", (int)(size_t)device - 1, fact);
    return answer(key, value, size);
}

const char *nvmlErrorString(int result) { /* NVIDIA's own words */
    switch (result) {
    case SUCCESS: return "Success";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID_ARGUMENT: return "Invalid Argument";
    case NOT_SUPPORTED: return "Not Supported";
    case 4: return "Insufficient Permissions";
    case 9: return "Driver Not Loaded";
    case 15: return "GPU is lost";
    case 18: return "Driver/library version mismatch";
    default: return "Unknown Error";
    }
}

int nvmlInitWithFlags(unsigned int flags) {
    char value[64] = "0";
    int result = answer("init", value, sizeof value);
    (void)flags;
    if (result == SUCCESS || result == NOT_SUPPORTED) result = atoi(value); /* no line: 0 */
    running = result == SUCCESS;
    return result;
}

int nvmlShutdown(void) { running = 0; return SUCCESS; }

int nvmlSystemGetDriverVersion(char *text, unsigned int size) { return answer("driver", text, size); }

int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    char value[64];
    int result = answer("cuda", value, sizeof value);
    if (result == SUCCESS) *version = atoi(value);
    return result;
}

int nvmlDeviceGetCount_v2(unsigned int *count) {
    char value[64];
    int result = answer("count", value, sizeof value);
    if (result == SUCCESS) *count = (unsigned int)atoi(value);
    return result;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) {
    char value[64], key[64];
    int result;
    snprintf(key, sizeof key, "%u.handle", index);
    result = answer(key, value, sizeof value);
    *device = (void *)(size_t)(index + 1);
    return result == NOT_SUPPORTED ? SUCCESS : result;
}

int nvmlDeviceGetName(void *device, char *text, unsigned int size) { return of(device, "name", text, size); }

int nvmlDeviceGetUUID(void *device, char *text, unsigned int size) { return of(device, "uuid", text, size); }

int nvmlDeviceGetMemoryInfo(void *device, memory_t *memory) {
    char value[128];
    int result = of(device, "memory", value, sizeof value);
    if (result == SUCCESS) sscanf(value, "%llu %llu %llu", &memory->total, &memory->free, &memory->used);
    return result;
}

int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) {
    char value[64];
    int result = of(device, "capability", value, sizeof value);
    if (result == SUCCESS) sscanf(value, "%d %d", major, minor);
    return result;
}

int nvmlDeviceGetMigMode(void *device, unsigned int *current, unsigned int *pending) {
    char value[64];
    int result = of(device, "mig", value, sizeof value);
    if (result == SUCCESS) sscanf(value, "%u %u", current, pending);
    return result;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned int *count, process_t *processes) {
    char value[64];
    unsigned int index, found;
    int result = of(device, "processes", value, sizeof value);
    if (result != SUCCESS) return result;
    found = (unsigned int)atoi(value);
    if (found > *count) { *count = found; return INSUFFICIENT_SIZE; }
    for (index = 0; index < found; index++) {
        memset(&processes[index], 0, sizeof *processes);
        processes[index].pid = 1000 + index;
    }
    *count = found;
    return SUCCESS;
}
