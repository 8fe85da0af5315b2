// curl_proxy HOST:PORT: what bare_proxy does, with libcurl for the fetches: its multi interface on
// epoll, kept connections and easy handles, and no option set twice.
#include <curl/curl.h>
#include <unordered_map>
#include <vector>

#include "bare.h"

namespace {

using ringmaster::bench::Client, ringmaster::bench::Handler, ringmaster::bench::Line,
    ringmaster::bench::Loop;

Loop loop;
CURLM* multi;
std::string url;
curl_slist* headers;
long timeout_ms = -1;

struct Fetch {
  CURL* easy = curl_easy_init();
  Client* client = nullptr;
  std::string answer, body;
};
std::vector<Fetch*> idle;

struct Socket : Handler {
  explicit Socket(int fd) : fd_(fd) {}
  void on_ready(uint32_t events) override;
  int fd_;
};

void take_ended() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
    Fetch* fetch = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &fetch);
    if (message->data.result != CURLE_OK) std::exit(1);
    curl_multi_remove_handle(multi, fetch->easy);
    fetch->client->output += fetch->answer;
    fetch->client->flush();
    idle.push_back(fetch);
  }
}

void Socket::on_ready(uint32_t events) {
  const int mask = ((events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                   ((events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0);
  int running = 0;
  curl_multi_socket_action(multi, fd_, mask, &running);
  take_ended();
}

std::unordered_map<int, uint32_t> watched;  // the events by socket, while it is open

// A socket stays in the epoll set while libcurl does not look at it.
int on_socket(CURL*, curl_socket_t fd, int what, void*, void*) {
  if (what == CURL_POLL_REMOVE) return 0;
  const uint32_t events = ((what & CURL_POLL_IN) != 0 ? uint32_t{EPOLLIN} : 0) |
                          ((what & CURL_POLL_OUT) != 0 ? uint32_t{EPOLLOUT} : 0);
  uint32_t& its = watched[fd];
  if (its == events) return 0;
  loop.watch(fd, events, *new Socket(fd), its == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD);
  its = events;
  return 0;
}

int on_close(void*, curl_socket_t fd) {
  watched.erase(fd);
  return ::close(fd);
}

int on_timer(CURLM*, long ms, void*) {
  timeout_ms = ms;
  return 0;
}

size_t on_body(char*, size_t, size_t size, void*) {
  return size;
}

Fetch* make_fetch() {
  auto* fetch = new Fetch;
  curl_easy_setopt(fetch->easy, CURLOPT_PRIVATE, fetch);
  curl_easy_setopt(fetch->easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(fetch->easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(fetch->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
  curl_easy_setopt(fetch->easy, CURLOPT_NOSIGNAL, 1L);
  return fetch;
}

struct ProxyClient : Client {
  using Client::Client;
  void on_line(std::string_view text) override {
    const Line line(text);
    Fetch* fetch = idle.empty() ? make_fetch() : idle.back();
    if (!idle.empty()) idle.pop_back();
    fetch->client = this;
    fetch->answer.clear();
    ringmaster::bench::append_answer(fetch->answer, line.head, line.rest);
    fetch->answer += '\n';
    fetch->body = line.rest.substr(0, line.rest.size() - 1);
    curl_easy_setopt(fetch->easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(fetch->body.size()));
    curl_easy_setopt(fetch->easy, CURLOPT_POSTFIELDS, fetch->body.data());
    curl_multi_add_handle(multi, fetch->easy);
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  url = "http://" + std::string(argv[1]) + "/features";
  curl_global_init(CURL_GLOBAL_DEFAULT);
  headers = curl_slist_append(curl_slist_append(nullptr, "Content-Type: application/json"),
                              "Accept: application/json");
  multi = curl_multi_init();
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 2048L);
  const ringmaster::bench::Listener<ProxyClient> listener(loop);
  while (true) {
    loop.turn(static_cast<int>(timeout_ms));
    if (timeout_ms != 0) continue;
    timeout_ms = -1;
    int running = 0;
    curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_ended();
  }
}
