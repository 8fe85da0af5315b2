#include "cli/screen.h"

#include <cerrno>
#include <poll.h>
#include <string>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace ringmaster::cli {
namespace {

// kBegin shows the alternate screen and hides the cursor; kEnd shows the first screen again.
constexpr std::string_view kBegin = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kEnd = "\x1b[?25h\x1b[?1049l";
constexpr std::string_view kTop = "\x1b[H";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kPlain = "\x1b[0m";
constexpr std::string_view kClearLine = "\x1b[K";
constexpr std::string_view kClearBelow = "\x1b[J";
constexpr int kEnding[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// The signal handlers use these, too.
termios g_before;
volatile sig_atomic_t g_was_resized = 0;

void write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) return;  // the terminal is gone: wait() reports its end
    if (written > 0) bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void give_back() {
  write_all(kEnd);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &g_before);
}

void on_ending(int signal) {  // SA_RESETHAND has reset the action: raise() ends the process
  give_back();
  ::raise(signal);
}

void on_resized(int) {
  g_was_resized = 1;
}

void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

Screen::Screen() {
  ::tcgetattr(STDIN_FILENO, &g_before);
  for (const int signal : kEnding)
    handle(signal, on_ending, static_cast<int>(SA_RESETHAND));
  handle(SIGWINCH, on_resized, 0);
  termios raw = g_before;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // each key at once, unseen
  raw.c_cc[VSUSP] = _POSIX_VDISABLE;
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
  write_all(kBegin);
}

Screen::~Screen() {
  for (const int signal : kEnding)
    handle(signal, SIG_DFL, 0);
  give_back();
}

ViewSize Screen::size() const {
  winsize found{};
  const bool is_known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &found) == 0 && found.ws_col > 0;
  return is_known ? ViewSize{found.ws_col, found.ws_row} : ViewSize{80, 24};
}

void Screen::draw(const std::vector<ViewLine>& lines) {
  std::string out(kTop);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += "\r\n";
    if (lines[i].is_heading) out += kBold;
    out += lines[i].text;
    if (lines[i].is_heading) out += kPlain;
    out += kClearLine;
  }
  out += kClearBelow;
  write_all(out);
}

Screen::Input Screen::wait(int timeout_ms, char& key) {
  // A signal between this check and poll() is seen after the timeout.
  if (g_was_resized != 0) {
    g_was_resized = 0;
    return Input::kResized;
  }
  pollfd input{STDIN_FILENO, POLLIN, 0};
  const int ready = ::poll(&input, 1, timeout_ms);
  if (ready < 0 && errno == EINTR) return wait(0, key);
  if (ready <= 0) return Input::kNone;
  return ::read(STDIN_FILENO, &key, 1) == 1 ? Input::kKey : Input::kEnd;
}

}  // namespace ringmaster::cli
