// CurlLoop: libcurl's multi interface on the libuv loop: its sockets, its timer, and who is done.
//
// Threads: the loop's only.
// Cost:    a connection stays in the loop's epoll set between two transfers, for as long as nothing
//          comes: to take it out and put it in again would be six system calls a transfer.
// Safety:  what comes on a connection that nobody uses is no answer to whoever is next: it ends.
// Source:  https://curl.se/libcurl/c/libcurl-multi.html; that sockets of connections that were not
//          yet made are closed without a word to the callback for it: lib/cf-socket.c of 7.88.
#pragma once

#include <curl/curl.h>
#include <functional>
#include <memory>
#include <unordered_map>

#include "base/uv_handle.h"

namespace ringmaster::upstream {

class CurlLoop {
 public:
  struct Events {
    // A transfer has ended, however. It is removed by whoever is told.
    std::function<void(CURL* easy, CURLcode code)> on_done;
    // A connection is begun, to an address that was found. libcurl must not be called from here.
    std::function<void()> on_opened;
  };

  static constexpr uint64_t kOwnDescriptors = 2;  // a pair to wake it by, which nobody uses

  // REQUIRES: curl_global_init() has succeeded.
  CurlLoop(uv_loop_t* loop, size_t connections, Events events);

  // Never calls back before it has returned.
  void add(CURL* easy);
  void remove(CURL* easy);

  // Those that were added and not removed.
  size_t transfers() const { return transfers_; }
  // Whether one more would not have to wait for a connection.
  bool has_room() const { return transfers_ < connections_; }

 private:
  struct Watch {
    UvHandle<uv_poll_t> poll;
    int events = 0;        // that the loop looks for
    bool is_kept = false;  // the connection is made: on_close() will tell of its end
    bool is_idle = false;  // libcurl waits for nothing
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
  std::unique_ptr<CURLM, Free> multi_;  // closes its connections, and says so, when it goes
};

}  // namespace ringmaster::upstream
