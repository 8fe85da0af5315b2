// Framing: how a client's stream is divided into messages, and what stands around a response.
//
// Decided by the first bytes of a connection and kept for its life:
//   { or [        JSON values, newline-delimited or concatenated; a response ends with a newline
//   Content-      headers as in LSP: "Content-Length: N", an empty line, N bytes
//   a digit       netstrings: "N:", N bytes, ","
//   GET POST ...  HTTP/1.1: see http_reader.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringmaster::rpc {

enum class Framing : uint8_t { kUndecided, kJson, kContentLength, kNetstring, kHttp };

// So many bytes decide at most.
inline constexpr size_t kDecidingBytes = 8;

// What a stream is that begins with these bytes, at least one. kUndecided: more of them are needed.
// Empty: it is of no framing.
std::optional<Framing> framing_of(std::string_view first);

// Before and behind a response of `size` bytes. HTTP has a head of its own: see http_response.h.
std::string frame_head(Framing framing, size_t size);
std::string_view frame_tail(Framing framing);

// What stands before a message, up to its first byte, tells how many it has: of headers with their
// empty line, and of "N:". Empty where it tells none, or 0: no message is empty.
std::optional<size_t> content_length(std::string_view headers);
std::optional<size_t> netstring_length(std::string_view head);

}  // namespace ringmaster::rpc
