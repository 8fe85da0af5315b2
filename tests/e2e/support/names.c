/* To be preloaded: getaddrinfo() knows three more names, and time() may be ahead.
 * "two.test" has two addresses: 127.0.0.9, then 127.0.0.1.
 * "upstream.test" has the address 127.0.0.1. A lookup of that name first adds a line to the file
 * $SLOW_NAMES.calls, and waits until $SLOW_NAMES exists.
 * "many.test" has the addresses in the file $ADDRESSES, one a line. Without the file the lookup
 * fails for the time being.
 * While the file $SLOW_NAMES.outdated exists, time() is 100 s ahead. By this clock libcurl uses an
 * address that it has looked up for 60 s. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef int look_up(const char*, const char*, const struct addrinfo*, struct addrinfo**);

static int look_up_in(FILE* file, const char* service, const struct addrinfo* hints,
                      struct addrinfo** found, look_up* real) {
  char line[64];
  *found = NULL;
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    const int error = real(line, service, hints, found);
    if (error != 0) return error;
    while (*found != NULL) found = &(*found)->ai_next;
  }
  if (file == NULL) return EAI_AGAIN;
  fclose(file);
  return 0;
}

int getaddrinfo(const char* name, const char* service, const struct addrinfo* hints,
                struct addrinfo** found) {
  look_up* real = (look_up*)dlsym(RTLD_NEXT, "getaddrinfo");
  if (strcmp(name, "two.test") == 0) {
    const int error = real("127.0.0.9", service, hints, found);
    return error != 0 ? error : real("127.0.0.1", service, hints, &(*found)->ai_next);
  }
  if (strcmp(name, "many.test") == 0)
    return look_up_in(fopen(getenv("ADDRESSES"), "r"), service, hints, found, real);
  if (strcmp(name, "upstream.test") != 0) return real(name, service, hints, found);
  const char* gate = getenv("SLOW_NAMES");
  char calls[4096];
  snprintf(calls, sizeof calls, "%s.calls", gate);
  FILE* file = fopen(calls, "a");
  fprintf(file, "%s\n", name);
  fclose(file);
  while (access(gate, F_OK) != 0) usleep(1000);
  return real("127.0.0.1", service, hints, found);
}

time_t time(time_t* where) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  const char* gate = getenv("SLOW_NAMES");
  char outdated[4096];
  snprintf(outdated, sizeof outdated, "%s.outdated", gate == NULL ? "" : gate);
  if (gate != NULL && access(outdated, F_OK) == 0) now.tv_sec += 100;
  if (where != NULL) *where = now.tv_sec;
  return now.tv_sec;
}
