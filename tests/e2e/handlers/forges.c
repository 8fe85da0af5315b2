/* forges: a handler that speaks for its fork server: load() writes the bytes of its option "hex" as one
 * packet to the control channel, "times" times, then waits to be killed. */
#include <ringmaster/handler.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kControlFd = 3, kPacketBytesMax = 64 };

static size_t decode(const char* hex, char* packet) {
  size_t size = 0;
  for (; hex[0] != '\0' && size < kPacketBytesMax; hex += 2) {
    const char byte[] = {hex[0], hex[1], '\0'};
    packet[size++] = (char)strtol(byte, NULL, 16);
  }
  return size;
}

static int load(const rm_option* options, size_t count, void** self, char* error, size_t size) {
  (void)error, (void)size;
  char packet[kPacketBytesMax];
  size_t bytes = 0;
  long times = 1;
  for (size_t i = 0; i < count; ++i) {
    if (strcmp(options[i].key, "hex") == 0) bytes = decode(options[i].value, packet);
    if (strcmp(options[i].key, "times") == 0) times = strtol(options[i].value, NULL, 10);
  }
  *self = NULL;
  for (; times > 0; --times) {
    if (write(kControlFd, packet, bytes) < 0) break;
  }
  for (;;)
    pause();
}

static void run(void* self, const rm_host* host, const rm_job* jobs, size_t count) {
  (void)self, (void)host, (void)jobs, (void)count;
}

static const rm_handler kHandler = {RINGMASTER_HANDLER_ABI, load, NULL, run, NULL, NULL};

const rm_handler* ringmaster_handler(void) {
  return &kHandler;
}
