/* To be preloaded: getaddrinfo() knows two more names.
 * "two.test" has two addresses: 127.0.0.9, then 127.0.0.1.
 * "upstream.test" has the address 127.0.0.1. A lookup of that name first adds a line to the file
 * $SLOW_NAMES.calls, and waits until $SLOW_NAMES exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int look_up(const char*, const char*, const struct addrinfo*, struct addrinfo**);

int getaddrinfo(const char* name, const char* service, const struct addrinfo* hints,
                struct addrinfo** found) {
  look_up* real = (look_up*)dlsym(RTLD_NEXT, "getaddrinfo");
  if (strcmp(name, "two.test") == 0) {
    const int error = real("127.0.0.9", service, hints, found);
    return error != 0 ? error : real("127.0.0.1", service, hints, &(*found)->ai_next);
  }
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
