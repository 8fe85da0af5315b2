#include "ipc/control.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>
#include <span>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utility>

namespace ringmaster::ipc {
namespace {

struct PacketHead {
  ControlType type;
  uint32_t worker;
  int32_t pid;
  int32_t status;
};

constexpr size_t kPacketBytesMax = kControlTextBytesMax + sizeof(PacketHead);

// A handler or a method is encoded as its fields, each ended by a NUL: config refuses NULs in TOML
// text.
std::string next_field(const std::string& text, size_t& at) {
  const size_t end = text.find('\0', at);
  std::string field = text.substr(at, end - at);
  at = end + 1;
  return field;
}

// A message carries at most these descriptors: see ControlMessage.
constexpr size_t kFdsMax = 2;

// The arguments of sendmsg(2) and recvmsg(2): the parts of a packet, and room for descriptors.
struct Envelope {
  explicit Envelope(std::span<iovec> parts) {
    header.msg_iov = parts.data();
    header.msg_iovlen = parts.size();
  }
  void make_room() {
    header.msg_control = room;
    header.msg_controllen = sizeof room;
  }
  // REQUIRES: not empty, at most kFdsMax.
  void enclose(std::span<const int> fds) {
    make_room();
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* const enclosed = CMSG_FIRSTHDR(&header);
    enclosed->cmsg_level = SOL_SOCKET;
    enclosed->cmsg_type = SCM_RIGHTS;
    enclosed->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(enclosed), fds.data(), fds.size_bytes());
  }
  // The received descriptors, in their order. There is room for kFdsMax: the kernel closes others.
  std::array<Fd, kFdsMax> take() {
    const cmsghdr* const enclosed = CMSG_FIRSTHDR(&header);
    const bool are_fds = enclosed != nullptr && enclosed->cmsg_level == SOL_SOCKET &&
                         enclosed->cmsg_type == SCM_RIGHTS;
    std::array<Fd, kFdsMax> fds;
    for (size_t i = 0; i < kFdsMax; ++i) {
      if (!are_fds || enclosed->cmsg_len < CMSG_LEN((i + 1) * sizeof(int))) break;
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(enclosed) + i * sizeof fd, sizeof fd);
      fds[i] = Fd(fd);
    }
    return fds;
  }

  msghdr header{};
  alignas(cmsghdr) char room[CMSG_SPACE(kFdsMax * sizeof(int))] = {};
};

}  // namespace

Result<std::pair<Fd, Fd>> ControlChannel::create_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail_errno("socketpair for the control channel", errno);
  }
  return std::pair<Fd, Fd>(ends[0], ends[1]);
}

Status check_size(const ControlMessage& message) {
  const size_t bytes = sizeof(PacketHead) + message.text.size();
  if (bytes <= kPacketBytesMax) return {};
  return fail(ExitCode::kConfig,
              fmt::format("a handler's options, or a method's names, take {} bytes, expected at "
                          "most {}",
                          bytes, kPacketBytesMax));
}

Status ControlChannel::send(const ControlMessage& message, std::span<const int> fds) {
  const Result<bool> sent = send_packet(message, fds, 0);
  if (!sent) return tl::unexpected(sent.error());
  return {};
}

Result<bool> ControlChannel::try_send(const ControlMessage& message, std::span<const int> fds) {
  return send_packet(message, fds, MSG_DONTWAIT);
}

Result<bool> ControlChannel::send_packet(const ControlMessage& message, std::span<const int> fds,
                                         int flags) {
  if (Status fits = check_size(message); !fits) return tl::unexpected(fits.error());
  PacketHead head{message.type, message.worker, message.pid, message.status};
  // sendmsg(2) only reads the text.
  iovec parts[] = {{&head, sizeof head},
                   {const_cast<char*>(message.text.data()), message.text.size()}};
  Envelope envelope(parts);
  if (!fds.empty()) envelope.enclose(fds);
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket_.get(), &envelope.header, MSG_NOSIGNAL | flags);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return true;
  // ETOOMANYREFS: this user has as many descriptors in flight as it may have open.
  const bool is_full = errno == EAGAIN || errno == EWOULDBLOCK || errno == ETOOMANYREFS;
  if ((flags & MSG_DONTWAIT) != 0 && is_full) return false;
  return fail_errno("send on the control channel", errno);
}

Result<ControlChannel::Received> ControlChannel::receive(ControlMessage& message) {
  char packet[kPacketBytesMax];
  iovec parts[] = {{packet, sizeof packet}};
  Envelope envelope(parts);
  envelope.make_room();
  ssize_t size = 0;  // the packet's whole size, by MSG_TRUNC
  do {
    size = ::recvmsg(socket_.get(), &envelope.header, MSG_TRUNC | MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  auto [memory, output] = size < 0 ? std::array<Fd, kFdsMax>() : envelope.take();
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Received::kNothingYet;
  if (size == 0 || (size < 0 && errno == ECONNRESET)) return Received::kEnd;
  if (size < 0) return fail_errno("receive on the control channel", errno);
  PacketHead head;
  if (static_cast<size_t>(size) < sizeof head || static_cast<size_t>(size) > sizeof packet) {
    return fail(ExitCode::kInternal, fmt::format("a control message of {} bytes", size));
  }
  std::memcpy(&head, packet, sizeof head);
  if (head.type > kControlTypeMax) {
    return fail(ExitCode::kInternal,
                fmt::format("control message of type {}", static_cast<uint32_t>(head.type)));
  }
  message = {head.type,
             head.worker,
             head.pid,
             head.status,
             std::string(packet + sizeof head, static_cast<size_t>(size) - sizeof head),
             std::move(memory),
             std::move(output)};
  return Received::kMessage;
}

std::string encode(const Geometry& geometry) {
  return {reinterpret_cast<const char*>(&geometry), sizeof geometry};
}

Result<Geometry> decode_geometry(const std::string& text) {
  Geometry geometry;
  if (text.size() == sizeof geometry) std::memcpy(&geometry, text.data(), sizeof geometry);
  if (text.size() != sizeof geometry || geometry.layout_version != kLayoutVersion) {
    return fail(ExitCode::kInternal,
                "master and fork server are not the same build: was the binary replaced?");
  }
  return geometry;
}

std::string encode(const Confinement& confinement) {
  return {reinterpret_cast<const char*>(&confinement), sizeof confinement};
}

Result<Confinement> decode_confinement(const std::string& text) {
  Confinement confinement;
  if (text.size() != sizeof confinement) {
    return fail(ExitCode::kInternal, "expected a whole confinement, found another size");
  }
  std::memcpy(&confinement, text.data(), sizeof confinement);
  return confinement;
}

std::string encode(const HandlerSpec& spec) {
  std::string text = spec.name + '\0' + spec.library + '\0' + (spec.debug ? "1" : "0") + '\0';
  for (const auto& [key, value] : spec.options)
    text += key + '\0' + value + '\0';
  return text;
}

Result<HandlerSpec> decode_handler(const std::string& text) {
  HandlerSpec spec;
  if (!text.ends_with('\0') || std::count(text.begin(), text.end(), '\0') % 2 != 1) {
    return fail(ExitCode::kInternal, "expected a whole handler, found a part of one");
  }
  size_t at = 0;
  spec.name = next_field(text, at);
  spec.library = next_field(text, at);
  const std::string debug = next_field(text, at);
  spec.debug = debug == "1";
  if (spec.name.empty() || spec.library.empty() || (debug != "0" && debug != "1")) {
    return fail(ExitCode::kInternal, "expected a handler with a name, a library and debug");
  }
  while (at < text.size()) {
    std::string key = next_field(text, at);
    spec.options.emplace_back(std::move(key), next_field(text, at));
  }
  return spec;
}

std::string encode(const MethodSpec& spec) {
  std::string text = spec.name + '\0';
  for (const std::string& step : spec.steps)
    text += step + '\0';
  return text;
}

Result<MethodSpec> decode_method(const std::string& text) {
  if (!text.ends_with('\0'))
    return fail(ExitCode::kInternal, "expected all names of a method, found a part");
  size_t at = 0;
  MethodSpec spec{next_field(text, at)};
  while (at < text.size())
    spec.steps.push_back(next_field(text, at));
  return spec;
}

}  // namespace ringmaster::ipc
