/* Counts allocations of a server: LD_PRELOAD=malloc_count.so MALLOC_COUNT_FILE=path server …
   The file holds one 64-bit counter, mapped shared, so a reader sees it while the server runs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);

static _Atomic uint64_t fallback;
static _Atomic uint64_t* counter = &fallback;

__attribute__((constructor)) static void map_counter(void) {
  const char* path = getenv("MALLOC_COUNT_FILE");
  if (path == NULL) return;
  int fd = open(path, O_RDWR | O_CREAT, 0644);
  if (fd < 0 || ftruncate(fd, sizeof(uint64_t)) != 0) return;
  void* mapped = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped != MAP_FAILED) counter = mapped;
}

void* malloc(size_t size) {
  atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
  return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
  return __libc_calloc(count, size);
}

void* realloc(void* old, size_t size) {
  atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
  return __libc_realloc(old, size);
}
