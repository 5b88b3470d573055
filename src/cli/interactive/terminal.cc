#include "cli/interactive/terminal.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <string_view>

namespace ingot::cli {
namespace {

constexpr std::array kEnding = {SIGTERM, SIGHUP, SIGQUIT};
constexpr std::string_view kMarkPastes = "\033[?2004h", kPlainPastes = "\033[?2004l";

termios original, before_quiet, before_editing;
std::atomic<bool> guarded{false}, redraw{false}, marking{false};
std::array<struct sigaction, kEnding.size()> actions_before;
struct sigaction stop_before, window_before;

void on_ending(int signal) {
  restore_terminal();
  ::signal(signal, SIG_DFL);
  ::raise(signal);  // delivered when this handler returns
}

void on_stop(int) {
  const int error = errno;
  termios mode{};
  const bool known = ::tcgetattr(STDIN_FILENO, &mode) == 0, marked = marking.load();
  restore_terminal();
  ::raise(SIGSTOP);  // comes back here on SIGCONT
  if (known) ::tcsetattr(STDIN_FILENO, TCSANOW, &mode);
  if (marked) mark_pastes(true);
  redraw.store(true);
  errno = error;
}

void on_window(int) { redraw.store(true); }

void handle(int signal, void (*handler)(int), struct sigaction& before) {
  ::sigaction(signal, nullptr, &before);
  if (before.sa_handler == SIG_IGN) return;
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

TerminalGuard::TerminalGuard() {
  if (::tcgetattr(STDIN_FILENO, &original) != 0) return;
  guarded.store(true);
  for (size_t i = 0; i < kEnding.size(); ++i) handle(kEnding[i], on_ending, actions_before[i]);
  handle(SIGTSTP, on_stop, stop_before);
  handle(SIGWINCH, on_window, window_before);
}

TerminalGuard::~TerminalGuard() {
  if (!guarded.load()) return;
  restore_terminal();
  guarded.store(false);
  for (size_t i = 0; i < kEnding.size(); ++i) ::sigaction(kEnding[i], &actions_before[i], nullptr);
  ::sigaction(SIGTSTP, &stop_before, nullptr);
  ::sigaction(SIGWINCH, &window_before, nullptr);
}

QuietKeys::QuietKeys() {
  if (::tcgetattr(STDIN_FILENO, &before_quiet) != 0) return;
  termios quiet = before_quiet;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | IEXTEN);
  quiet.c_lflag |= ISIG | NOFLSH;                  // Ctrl-C stops the answer and keeps what was typed
  quiet.c_iflag &= ~static_cast<tcflag_t>(ICRNL);  // as the line editor reads them
  quiet.c_cc[VMIN] = 1;
  quiet.c_cc[VTIME] = 0;
  changed_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &quiet) == 0;
}

QuietKeys::~QuietKeys() {
  if (changed_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_quiet);
}

InterruptIsKey::InterruptIsKey() {
  if (::tcgetattr(STDIN_FILENO, &before_editing) != 0) return;
  termios editing = before_editing;
  editing.c_cc[VINTR] = _POSIX_VDISABLE;
  changed_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &editing) == 0;
}

InterruptIsKey::~InterruptIsKey() {
  if (changed_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_editing);
}

bool take_redraw() { return redraw.exchange(false); }

void mark_pastes(bool on) {
  const std::string_view text = on ? kMarkPastes : kPlainPastes;
  marking.store(on);
  [[maybe_unused]] const auto n = ::write(STDOUT_FILENO, text.data(), text.size());
}

void restore_terminal() {
  if (!guarded.load()) return;
  if (marking.load()) mark_pastes(false);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &original);
}

}  // namespace ingot::cli
