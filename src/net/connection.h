// Connection: one client connection: cuts its bytes into messages, and sends responses.
//
// Threads: the loop's only.
// Memory:  input: the unfinished message, at most message_bytes; while the owner holds reading, or
//          the connection is paused, also the rest of one read. Output: the bytes that the client
//          has not read. The connection is not read while these are more than kUnsentBytesMax,
//          while the owner holds reading, or while it is paused. So the client cannot make input or
//          output grow. on_memory reports the sum.
// Death:   of the client: on_closed, once; no other event follows. A client that only ends its
//          sending (a half-close, as nc does) may still wait for answers. A client is gone when
//          reading or writing fails: a closed socket answers the next bytes with a reset.
// Cost:    one or more read(2) per wake-up, see ReadingTurns, into a buffer that all connections
//          share or, for a long message, into its own. One write(2) per flush() for all of
//          output(); a long response may have its own write(2): see send(). A write(2) has at most
//          512 KiB; libuv writes up to nine such parts in a turn of the loop.
// TLS:     lies below: all bytes here are plaintext. The message timeout also limits a TLS
//          handshake and a record. A long output is encrypted part by part, as the client reads it.
#pragma once

#include <cstdint>
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
  // The events of which the owner of a connection is told.
  class Events {
   public:
    // HTTP: a request's head, before its message. False: the owner has refused it and answered; no
    // message follows.
    virtual bool on_head(const rpc::HttpReader& head) = 0;
    // One message. False: the message was not JSON.
    virtual bool on_message(std::string_view message) = 0;
    // The rest of the input is unreadable, or (kNeedMore) the input has ended inside a message. The
    // owner may answer; on_ended follows.
    virtual void on_unreadable(rpc::Framer::Event why) = 0;
    // TLS only: whether the handshake may go on now. False: the connection asks again in the next
    // turn of the loop or, if the owner has called delay(), after resume().
    virtual bool may_shake_hands() { return true; }
    // TLS only: a part of the handshake has taken this CPU time. Called before any message that
    // came with the handshake's end.
    virtual void on_handshake(uint64_t /*took_ns*/) {}
    // TLS only: the TLS handshake or peer verification failed. The connection closes itself.
    virtual void on_tls_failed(const std::string& /*why*/) {}
    // Nothing more will be read. The owner calls finish() after its last response.
    virtual void on_ended() = 0;
    // held_bytes() has changed from `was_bytes`. A call raises this event last, so the owner may
    // abort this connection and others in on_memory().
    virtual void on_memory(uint64_t /*was_bytes*/) {}
    // The connection is closed, and must not be used any more. The owner destroys it later,
    // since calls of its functions may not have returned.
    virtual void on_closed() = 0;
    // Null: a connection is read whenever it is ready, and never paused.
    virtual ReadingTurns* reading_turns() { return nullptr; }
    // The turn is over, and messages wait: the owner calls go_on() in the next turn.
    virtual void on_paused() {}

   protected:
    ~Events() = default;
  };

  static constexpr size_t kUnsentBytesMax = 1 << 20;
  // The longest read, into the room of a long message. A client on another core may send as fast as
  // we read, so a read of megabytes could take longer than a turn of the loop has.
  static constexpr size_t kReadBytesMax = 256 << 10;

  // Events and limits must outlive the connection. Reads nothing before start(). `tls`: null
  // without TLS.
  Connection(Stream stream, std::unique_ptr<TlsStream> tls, Events& events,
             const ConnectionLimits& limits, uint64_t now_ns);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start() { update_reading(); }

  // See rpc::Framer. REQUIRES: before start().
  void expect_line(std::string_view line) { framer_.expect_line(line); }

  // Limits messages of a client that is not authenticated yet; 0: no such limit. Not for HTTP,
  // where on_head decides.
  void limit_messages(uint64_t bytes) { framer_.limit_for_now(bytes); }

  rpc::Framing framing() const { return framer_.framing(); }
  // HTTP: the request that was handed out last. Else null.
  const rpc::HttpReader* http() const { return framer_.http(); }

  // Append whole responses, framing included; the next flush() sends them.
  std::string& output() { return output_; }
  void flush();
  // Sends output() at once, then a long response's `body` without a copy, then its `tail`. Copies
  // to output() what the socket does not take: call flush() in any case.
  void send(std::string_view body, std::string_view tail);
  // Counts memory that the owner holds for this client, from the next flush() on.
  void charge(int64_t bytes) { owners_bytes_ += bytes; }
  uint64_t charged_bytes() const { return static_cast<uint64_t>(owners_bytes_); }
  uint64_t held_bytes() const { return held_bytes_; }

  // Takes the bytes of the message that on_message() has got: see rpc::Framer. Not null for a
  // message of kReadBytesMax or more. REQUIRES: on_message() has not returned.
  std::shared_ptr<const void> take_message() { return framer_.take_message(); }
  // The message that take_message() has returned is not JSON. REQUIRES: the owner has held reading
  // since, so that no other message was handed out.
  void reject_message();

  // The owner's back-pressure: stops and resumes reading, and handing out messages that were read.
  // After it resumes, the next flush() hands out the messages that waited.
  void hold_reading(bool hold);
  // After on_paused(): hands out the messages that wait, and flushes.
  void go_on();
  bool is_paused() const { return is_paused_; }
  // Stops reading during a TLS handshake, and resumes it. The handshake's timeout goes on.
  void delay() { is_delayed_ = true; }
  void resume();
  // Whether the client has ended its sending, or is gone. Asks the system where the connection is
  // not read. REQUIRES: !is_closed().
  bool has_client_ended() const;
  // Whether reading would fail: the client has reset the connection. REQUIRES: !is_closed().
  bool has_failed() const;
  // Closes once everything is sent; further input is discarded. First the client gets 500 ms to
  // read and close: to close with unread input could lose the last answers.
  void finish();
  // Closes at once.
  void abort() { close(); }

  bool is_closed() const { return stream_ == nullptr; }
  // Whether there is no TLS, or its handshake was completed; TLS may have ended or failed since.
  bool has_shaken_hands() const { return tls_ == nullptr || tls_->has_shaken_hands(); }
  // The subject of the client's certificate; empty: none.
  std::string client_subject() const { return tls_ == nullptr ? "" : tls_->client_subject(); }
  bool has_unsent() const { return unsent_bytes() > 0; }
  // Whether a message has come only in part.
  bool is_receiving_message() const { return framer_.is_mid_message(); }
  // The client's address, for the log. REQUIRES: !is_closed().
  std::string client() const { return to_text(stream_->peer); }
  // Whether a timeout has passed: of the first bytes, of a message, of unread answers, or of a
  // finished connection. Call each tick.
  bool has_stalled(uint64_t now_ns);
  // The time at which the connection became idle, as far as the calls at each tick have noticed.
  // `is_owed`: see has_idled().
  uint64_t idle_since_ns(uint64_t now_ns, bool is_owed);
  // Whether bytes wait in the system. REQUIRES: !is_closed().
  bool has_unread_input() const;
  // Whether the idle timeout has passed; `is_owed`: the client waits for an answer, so the
  // connection is not idle. A paused connection is not idle either.
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
  bool is_turn_over(size_t bytes);
  bool seal_output(TlsStream& tls);
  void write_due();
  void write_rest(std::string& bytes, size_t taken);
  void write_part();
  void update_reading();
  void linger_when_sent();
  static void clear(std::string& bytes);
  uint64_t unsent_bytes() const;
  void tell_memory();
  void close();

  Stream stream_;  // null once closed
  const std::unique_ptr<TlsStream> tls_;
  Events& events_;
  const ConnectionLimits& limits_;
  rpc::Framer framer_;
  std::string unread_;             // read, but not handed out while held or paused
  std::string output_;             // not yet written
  size_t sealed_ = 0;              // bytes of output_ that are encrypted
  Write* write_ = nullptr;         // what the socket did not take: libuv's until written
  uint64_t waiting_since_ns_;      // begin of the timeout of the first bytes or of a message
  uint64_t message_bytes_ = 0;     // received since then
  bool has_message_come_ = false;  // in the last read
  uint64_t sent_ns_ = 0;           // when the client last took bytes of write_
  uint64_t unsent_bytes_ = 0;      // what was left of write_'s part then
  uint64_t busy_ns_ = 0;           // when the connection was last not idle
  uint64_t held_bytes_ = 0;        // as last reported
  int64_t owners_bytes_ = 0;
  uint64_t last_round_ = 0;  // see ReadingTurns
  size_t unmeasured_ = 0;    // bytes of messages since the clock was last read
  bool is_held_ = false;
  bool is_paused_ = false;  // see Events::on_paused()
  bool is_delayed_ = false;
  bool is_reading_ = false;
  bool is_into_room_ = false;   // this read goes into the framer's own buffer
  bool is_unreadable_ = false;  // no message can follow
  bool is_at_eof_ = false;
  bool is_finishing_ = false;
  bool is_lingering_ = false;  // finished, all sent: waits for the client to close
};

}  // namespace ringmaster::net
