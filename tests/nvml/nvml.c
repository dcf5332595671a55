/* A stand-in for libnvidia-ml.so.1: answers the NVML calls that mlpack uses from a text file, so that the real binding
 * runs without a card. NVML_ANSWERS names the file; a line is `key value`:
 *
 *   init 9                      result of nvmlInitWithFlags (an error's number: nvml.h, nvmlReturn_t); without it 0
 *   driver 550.54.15            nvmlSystemGetDriverVersion
 *   cuda 12040                  nvmlSystemGetCudaDriverVersion_v2
 *   count 2                     nvmlDeviceGetCount_v2
 *   0.name NVIDIA A10G          and so on for each card: uuid, memory (total free used, bytes),
 *   0.capability 8 6            mig (current pending), processes (how many)
 *   0.minor 0                   ecc and persistence (0, 1), compute_mode (nvmlComputeMode_t), mps (how many clients)
 *   0.slots 7                   nvmlDeviceGetMaxMigDeviceCount; 0.slot2.uuid ...: the MIG instance in place 2, with
 *                               name, uuid, memory and slices; a place without a uuid is empty
 *   0.nvlink 1 2 3              cards that it reaches over NVLink
 *   0.pci 00000000:07:00.0      its place on the bus; 0.topology 0 10 50: nvmlGpuTopologyLevel_t to each card in order
 *   0.process0 1234 1073741824  pid and bytes of a program on it; without such a line 1000 and 0
 *   1.memory error 999          any key may fail with a number instead
 *
 * A key that is missing answers NVML_ERROR_NOT_SUPPORTED (3), as real cards do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7 };

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int pid; unsigned long long bytes; unsigned int gpu, compute; } process_t;
typedef struct { unsigned int counts[6], gpu_slices, compute_slices; unsigned long long memory_mb; } attributes_t;

enum { SLOT = 1000, NOT_FOUND = 6 }; /* a handle is card + 1, of a MIG instance SLOT * (slot + 1) + card + 1 */

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
    int handle = (int)(size_t)device;
    if (handle > SLOT) snprintf(key, sizeof key, "%d.slot%d.%s", handle % SLOT - 1, handle / SLOT - 1, fact);
    else snprintf(key, sizeof key, "%d.%s", handle - 1, fact);
    return answer(key, value, size);
}

const char *nvmlErrorString(int result) { /* NVIDIA's own words */
    switch (result) {
    case SUCCESS: return "Success";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID_ARGUMENT: return "Invalid Argument";
    case NOT_SUPPORTED: return "Not Supported";
    case 4: return "Insufficient Permissions";
    case NOT_FOUND: return "Not Found";
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

static int number(void *device, const char *fact, unsigned int *found) {
    char value[64];
    int result = of(device, fact, value, sizeof value);
    if (result == SUCCESS) *found = (unsigned int)atoi(value);
    return result;
}

int nvmlDeviceGetMinorNumber(void *device, unsigned int *minor) { return number(device, "minor", minor); }

int nvmlDeviceGetPersistenceMode(void *device, unsigned int *on) { return number(device, "persistence", on); }

int nvmlDeviceGetComputeMode(void *device, unsigned int *mode) { return number(device, "compute_mode", mode); }

int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned int *count) { return number(device, "slots", count); }

int nvmlDeviceGetEccMode(void *device, unsigned int *current, unsigned int *pending) {
    int result = number(device, "ecc", current);
    *pending = *current;
    return result;
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned int slot, void **part) {
    char value[128];
    *part = (void *)(SLOT * (slot + 1) + (size_t)device);
    return of(*part, "uuid", value, sizeof value) == SUCCESS ? SUCCESS : NOT_FOUND;
}

int nvmlDeviceGetAttributes_v2(void *device, attributes_t *attributes) {
    memset(attributes, 0, sizeof *attributes);
    attributes->gpu_slices = 1;
    return number(device, "slices", &attributes->compute_slices);
}

int nvmlDeviceGetP2PStatus(void *device, void *other, int index, int *status) {
    char value[256], *word;
    int result = of(device, "nvlink", value, sizeof value);
    if (result != SUCCESS || index != 2) return result == SUCCESS ? INVALID_ARGUMENT : result;
    *status = 3; /* NVML_P2P_STATUS_GPU_NOT_SUPPORTED */
    for (word = strtok(value, " "); word; word = strtok(NULL, " "))
        if (atoi(word) == (int)(size_t)other - 1) *status = 0;
    return SUCCESS;
}

typedef struct { char legacy[16]; unsigned int domain, bus, device, id, subsystem; char address[32]; } pci_t;

int nvmlDeviceGetPciInfo_v3(void *device, pci_t *pci) {
    memset(pci, 0, sizeof *pci);
    return of(device, "pci", pci->address, sizeof pci->address);
}

int nvmlDeviceGetTopologyCommonAncestor(void *device, void *other, int *level) {
    char value[256], *word;
    int place = 0, result = of(device, "topology", value, sizeof value);
    if (result != SUCCESS) return result;
    for (word = strtok(value, " "); word; word = strtok(NULL, " "))
        if (place++ == (int)(size_t)other - 1) { *level = atoi(word); return SUCCESS; }
    return INVALID_ARGUMENT;
}

/* pynvml asks with no room first, then with more than was said. */
static int processes_of(void *device, const char *fact, unsigned int *count, process_t *processes) {
    char value[64], key[32];
    unsigned int index, found;
    int result = number(device, fact, &found);
    if (result != SUCCESS) return result;
    if (found > *count) { *count = found; return INSUFFICIENT_SIZE; }
    for (index = 0; index < found; index++) {
        memset(&processes[index], 0, sizeof *processes);
        processes[index].pid = 1000 + index;
        snprintf(key, sizeof key, "process%u", index);
        if (of(device, key, value, sizeof value) == SUCCESS)
            sscanf(value, "%u %llu", &processes[index].pid, &processes[index].bytes);
    }
    *count = found;
    return SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned int *count, process_t *processes) {
    return processes_of(device, "processes", count, processes);
}

int nvmlDeviceGetMPSComputeRunningProcesses_v3(void *device, unsigned int *count, process_t *processes) {
    return processes_of(device, "mps", count, processes);
}
