// Framing: how a client's stream is divided into messages, and how responses are framed.
//
// Decided by the first bytes of a connection and kept for its life:
//   { or [        JSON values, newline-delimited or concatenated; a response ends with a newline
//   Content-      headers as in LSP: "Content-Length: N", an empty line, N bytes
//   GET POST ...  HTTP/1.1: see http_reader.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringmaster::rpc {

enum class Framing : uint8_t { kUndecided, kJson, kContentLength, kHttp };

// The most bytes needed to decide.
inline constexpr size_t kDecidingBytes = 8;

// The framing of a stream that begins with these bytes, at least one. kUndecided: more are needed.
// Empty: no known framing.
std::optional<Framing> framing_of(std::string_view first);

// The text before and after a response of `size` bytes. HTTP has a head of its own: see
// http_response.h.
std::string frame_head(Framing framing, size_t size);
std::string_view frame_tail(Framing framing);

// The length of a message, by its headers, which include the empty line. Empty: they have no valid
// length, or the length 0, since no message is empty.
std::optional<size_t> content_length(std::string_view headers);

}  // namespace ringmaster::rpc
