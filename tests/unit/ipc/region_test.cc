#include "ipc/region.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include "support.h"

namespace ringmaster::ipc {
namespace {

constexpr size_t kBytes = 64 << 10;

Region map(const Fd& memory, Access access, size_t offset = 0, size_t bytes = kBytes) {
  Result<Region> region = Region::map(memory.get(), access, offset, bytes);
  REQUIRE(region);
  return std::move(*region);
}

}  // namespace

TEST_CASE("region: created memory is zero, shared between its mappings, and outlives its fd") {
  Result<Fd> memory = create_memory("ringmaster-test", kBytes);
  REQUIRE(memory);
  const Region writable = map(*memory, Access::kReadWrite);
  const Region readable = map(*memory, Access::kReadOnly);
  const Region second_page = map(*memory, Access::kReadOnly, 4096, 4096);
  memory->reset();
  CHECK(writable.size() == kBytes);
  for (size_t i = 0; i < kBytes; i += 512) {
    CHECK(writable.data()[i] == std::byte{0});
  }
  writable.data()[5000] = std::byte{42};
  CHECK(readable.data()[5000] == std::byte{42});
  CHECK(second_page.data()[5000 - 4096] == std::byte{42});
}

TEST_CASE("region: memory is sealed: no process can shrink, grow or unseal it") {
  const Result<Fd> memory = create_memory("ringmaster-test", kBytes);
  REQUIRE(memory);
  for (const off_t bytes : {off_t{0}, off_t{4096}, off_t{2 * kBytes}}) {
    CHECK(::ftruncate(memory->get(), bytes) == -1);
    CHECK(errno == EPERM);
  }
  CHECK(::fcntl(memory->get(), F_ADD_SEALS, F_SEAL_WRITE) == -1);
  CHECK(::fcntl(memory->get(), F_GETFD) == FD_CLOEXEC);
}

TEST_CASE("region: a write to a read-only mapping ends its process, and changes nothing") {
  const Result<Fd> memory = create_memory("ringmaster-test", kBytes);
  REQUIRE(memory);
  const Region master = map(*memory, Access::kReadWrite);
  test::Child worker([&] {
    ::signal(SIGSEGV, SIG_DFL);  // not the test program's handler, which would report the signal
    const Region mine = map(*memory, Access::kReadOnly);
    *static_cast<volatile std::byte*>(mine.data()) = std::byte{1};
    return 0;
  });
  CHECK(worker.signal() == SIGSEGV);
  CHECK(master.data()[0] == std::byte{0});
}

TEST_CASE("region: a read-only mapping cannot be made writable") {
  const Result<Fd> memory = create_memory("ringmaster-test", kBytes);
  REQUIRE(memory);
  const Region region = map(*memory, Access::kReadOnly);
  CHECK(::mprotect(region.data(), kBytes, PROT_READ | PROT_WRITE) == -1);
  CHECK(errno == EACCES);
}

TEST_CASE("region: an invalid descriptor is an error that says what was tried") {
  const Result<Region> region = Region::map(-1, Access::kReadOnly, 0, kBytes);
  REQUIRE(!region);
  CHECK(region.error().exit_code == ExitCode::kResource);
  CHECK(region.error().message.find("/proc/self/fd/-1") != std::string::npos);
}

}  // namespace ringmaster::ipc
