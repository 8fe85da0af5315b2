// Connection: one client: cuts what it sends into messages, and sends it what it is owed.
//
// Threads: the loop's only.
// Memory:  input: the unfinished message, at most message_bytes, and one read while the owner
//          holds. Output: what the client has not read yet; while that is more than
//          kUnsentBytesMax, or while the owner says so, the client is not read either, so that it
//          cannot make either of them grow. on_memory tells the sum.
// Death:   of the client: on_closed, once; nothing else is called after it. Its end of sending is
//          none: it may have half-closed (nc does) and wait for its answers. It is gone when
//          reading or writing fails: one that has closed answers the next bytes with a reset.
// Cost:    one read(2) per wake-up or several, see ReadingTurns, into a buffer that all connections
//          share or, of a long message, to where it is kept; and one write(2) per flush() for
//          everything that output() was given since the last one. A long response may have one of
//          its own: see send().
// TLS:     stands between the stream and all that is said here, which is of the plaintext. A
//          handshake, and a record, has the patience of a message. A long output is encrypted part
//          by part, as the client takes it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/listener.h"
#include "net/reading_turns.h"
#include "net/socket_name.h"
#include "net/tls_stream.h"
#include "rpc/framer.h"

namespace ringmaster::net {

class Connection {
 public:
  struct Events {
    // HTTP: the head of a request, whose message follows. False: it is refused, and the owner has
    // answered: as if the stream could not go on.
    std::function<bool(Connection&, const rpc::HttpReader& head)> on_head;
    // One message. False: it was not JSON.
    std::function<bool(Connection&, std::string_view message)> on_message;
    // The stream cannot go on, or (kNeedMore) it has ended inside of a message. The owner may
    // answer; on_ended follows.
    std::function<void(Connection&, rpc::Framer::Event why)> on_unreadable;
    // Of TLS only: whether the handshake may go on now. False: the question comes again in the next
    // turn of the loop; or, where the owner has called delay(), after resume(). Then, how much CPU
    // time it took: its arithmetic is a millisecond's work, or several.
    std::function<bool(Connection&)> may_shake_hands;
    std::function<void(Connection&, uint64_t took_ns)> on_handshake;
    // Of TLS only: what has come is none, or not from whom it should be. The connection closes
    // itself.
    std::function<void(Connection&, const std::string& why)> on_tls_failed;
    // Nothing more will be read. The owner calls finish() once it has sent what it owes.
    std::function<void(Connection&)> on_ended;
    // It holds more or less memory than before: held_bytes(), which were `was_bytes`. Called at the
    // end of whatever changed it: the owner may abort this and other connections.
    std::function<void(Connection&, uint64_t was_bytes)> on_memory;
    // Gone, and must not be used any more: the owner destroys it, now or later.
    std::function<void(Connection&)> on_closed;
    // Null: each is read as often as it is ready.
    ReadingTurns* reading_turns = nullptr;
  };

  static constexpr size_t kUnsentBytesMax = 1 << 20;

  // Events and limits must outlive the connection. Reads nothing before start(). `tls`: null
  // where it speaks none.
  Connection(Stream stream, std::unique_ptr<TlsStream> tls, const Events& events,
             const ConnectionLimits& limits, uint64_t now_ns);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start() { update_reading(); }

  // Of a client that is not known yet; 0: as any other's. HTTP excepted, where a head comes first.
  void limit_messages(uint64_t bytes) { framer_.limit_for_now(bytes); }

  rpc::Framing framing() const { return framer_.framing(); }
  // Of a stream of HTTP: the request that was handed out last. Else null.
  const rpc::HttpReader* http() const { return framer_.http(); }

  // Where whole responses are appended, framing included, for the next flush().
  std::string& output() { return output_; }
  void flush();
  // Sends output() at once, and behind it a response's `body`, which is long and lies elsewhere,
  // and its `tail`. What the system does not take of them is copied to output(): a flush() is due
  // all the same.
  void send(std::string_view body, std::string_view tail);
  // Counts what the owner holds for this client as the connection's, from the next flush() on.
  void charge(int64_t bytes) { owners_bytes_ += bytes; }
  uint64_t charged_bytes() const { return static_cast<uint64_t>(owners_bytes_); }
  uint64_t held_bytes() const { return held_bytes_; }

  // Stops and resumes reading, messages that were read already included: the owner's say in
  // back-pressure. What has waited is handed out by the next flush().
  void hold_reading(bool hold);
  // Stops reading in the midst of a TLS handshake, and resumes it. The time counts as the client's.
  void delay() { is_delayed_ = true; }
  void resume();
  // Has the client ended its sending, or gone? Of a connection that is read, on_ended says so.
  // REQUIRES: !is_closed().
  bool has_client_ended() const;
  // Closes once everything is sent; what still comes in is thrown away. The client is given a
  // moment to read and close first: closing on unread input could cost it the last answers.
  void finish();
  // Closes at once.
  void abort() { close(); }

  bool is_closed() const { return stream_ == nullptr; }
  // Is there no TLS handshake yet to be completed?
  bool is_open() const { return tls_ == nullptr || tls_->state() == TlsStream::State::kOpen; }
  // Of the certificate that the client has shown; empty: none.
  std::string client_subject() const { return tls_ == nullptr ? "" : tls_->client_subject(); }
  bool has_unsent() const { return unsent_bytes() > 0; }
  // Has a part of a message come, and not yet the rest of it?
  bool is_receiving_message() const { return framer_.is_mid_message(); }
  // For messages. REQUIRES: !is_closed().
  std::string client() const { return to_text(peer_of(fd_of(*stream_))); }
  // No first byte, a message so slow, answers not read, or a finished connection left open, for
  // longer than an honest client can need. To be asked now and then.
  bool has_stalled(uint64_t now_ns);
  // Has been silent for longer than it may; `is_owed`: it waits for an answer, which is no silence.
  bool has_idled(uint64_t now_ns, bool is_owed);

 private:
  struct Write;
  void on_read(std::string_view bytes);
  void read_tls(TlsStream& tls, std::string_view bytes);
  void end_if_tls_has();
  void on_end();
  void hand_out_messages();
  bool hand_out(rpc::Framer::Event event, std::string_view message);
  bool is_mid_message() const;
  bool is_shaking_hands() const;
  bool may_read_now();
  bool seal_output(TlsStream& tls);
  void write_due();
  void write_rest(std::string& bytes, size_t taken);
  void update_reading();
  void linger_when_sent();
  static void clear(std::string& bytes);
  uint64_t unsent_bytes() const;
  void tell_memory();
  void close();

  Stream stream_;  // null once closed
  const std::unique_ptr<TlsStream> tls_;
  const Events& events_;
  const ConnectionLimits& limits_;
  rpc::Framer framer_;
  std::string unread_;         // was read, and waits in the framer until the owner lets it on
  std::string output_;         // not yet given to the system
  size_t sealed_ = 0;          // of output_, that TLS has already
  Write* write_ = nullptr;     // what the system did not take at once: libuv's, until it is written
  uint64_t waiting_since_ns_;  // for the first bytes, or for the rest of a message
  uint64_t message_bytes_ = 0;     // that have come since then
  bool has_message_come_ = false;  // with what was read last
  uint64_t sent_ns_ = 0;           // when the client was last seen to take bytes of write_
  uint64_t unsent_bytes_ = 0;      // of write_, at that time
  uint64_t busy_ns_ = 0;           // when it was last seen to be owed something
  uint64_t held_bytes_ = 0;        // as last told
  int64_t owners_bytes_ = 0;
  uint64_t last_round_ = 0;  // see ReadingTurns
  bool is_held_ = false;
  bool is_delayed_ = false;
  bool is_reading_ = false;
  bool is_into_room_ = false;   // what is being read goes to where the framer keeps it
  bool is_unreadable_ = false;  // no message can follow
  bool is_at_eof_ = false;
  bool is_finishing_ = false;
  bool is_lingering_ = false;  // finished, all sent: waits for the client to close
};

}  // namespace ringmaster::net
