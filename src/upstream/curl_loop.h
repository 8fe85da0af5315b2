// CurlLoop: libcurl's multi interface on the libuv loop: its sockets, its timer, and ended
// transfers.
//
// Threads: the loop's only.
// Cost:    an idle connection stays in the loop's epoll set until it gets input: to remove and add
//          it would take six system calls a transfer.
// Safety:  input on an idle connection ends the connection, so it cannot be taken for the next
//          response. HTTP/2 tells responses apart: libcurl reads such input with the next transfer.
// Source:  https://curl.se/libcurl/c/libcurl-multi.html; that libcurl closes sockets of unfinished
//          connections without calling the close callback: lib/cf-socket.c of 7.88.
#pragma once

#include <curl/curl.h>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>

#include "base/uv_handle.h"

namespace ringmaster::upstream {

class CurlLoop {
 public:
  struct Events {
    // A transfer has ended, in any way. The callback must remove() it.
    std::function<void(CURL* easy, CURLcode code)> on_done;
    // libcurl opens a connection, so it has the address. The callback must not call libcurl.
    std::function<void()> on_opened;
  };

  // Transfers at once of an HTTP/2 connection: RFC 9113 recommends servers to allow as many.
  static constexpr size_t kStreamsMax = 100;
  static constexpr uint64_t kOwnDescriptors = 2;  // libcurl's pair for wake-ups, unused here

  // REQUIRES: curl_global_init() has succeeded.
  CurlLoop(uv_loop_t* loop, size_t connections, Events events);

  // Makes no callback before it returns.
  void add(CURL* easy);
  void remove(CURL* easy);

  // Ends the idle connections to all IP addresses but these.
  void end_idle_except(std::span<const std::string> addresses);

  // Whether a response has come by HTTP/1.1 on a connection that has this port here.
  bool is_http1(int local_port) const;

  // How many more transfers would find an open connection, and open none.
  size_t open_room() const;
  // Transfers that were added and not removed.
  size_t transfers() const { return transfers_; }
  // Whether one more transfer would find a connection, if each connection serves `streams`.
  bool has_room(size_t streams) const { return transfers_ < connections_ * streams; }

 private:
  struct Watch {
    UvHandle<uv_poll_t> poll;
    int events = 0;        // that the loop polls for
    bool is_kept = false;  // the connection is made: on_close() ends the watch
    bool is_idle = false;  // libcurl waits for no event
    bool is_http2 = false;
    int local_port = 0;  // if it is kept
  };
  struct Free {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };

  static int on_open(void* user, curl_socket_t socket, curlsocktype);
  static int on_close(void* user, curl_socket_t socket);
  static int on_socket(CURL*, curl_socket_t socket, int what, void* user, void*);
  static int on_timer(CURLM*, long timeout_ms, void* user);
  void look_for(curl_socket_t socket, Watch& watch, int events);
  void on_event(curl_socket_t socket, int status, int ready);
  void keep_connection(CURL* easy);
  void act(curl_socket_t socket, int events);

  uv_loop_t* loop_;
  size_t connections_;
  size_t transfers_ = 0;
  Events events_;
  UvHandle<uv_timer_t> timer_;
  std::unordered_map<curl_socket_t, Watch> watches_;
  std::unique_ptr<CURLM, Free> multi_;  // its destruction closes connections, and calls on_close()
};

}  // namespace ringmaster::upstream
