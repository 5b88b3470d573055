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

termios original;
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
  // As the terminal's own stop: the kernel drops it where no shell could make the program go on.
  struct sigaction own{}, plain{};
  plain.sa_handler = SIG_DFL;
  ::sigaction(SIGTSTP, &plain, &own);
  sigset_t stop, before;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  ::raise(SIGTSTP);
  ::sigprocmask(SIG_UNBLOCK, &stop, &before);  // stops here, until SIGCONT
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ::sigaction(SIGTSTP, &own, nullptr);
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
  quiet_keys(InterruptIs::kSignal);
}

TerminalGuard::~TerminalGuard() {
  if (!guarded.load()) return;
  restore_terminal();
  guarded.store(false);
  for (size_t i = 0; i < kEnding.size(); ++i) ::sigaction(kEnding[i], &actions_before[i], nullptr);
  ::sigaction(SIGTSTP, &stop_before, nullptr);
  ::sigaction(SIGWINCH, &window_before, nullptr);
}

void quiet_keys(InterruptIs interrupt) {
  if (!guarded.load()) return;
  termios quiet = original;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | IEXTEN);
  quiet.c_lflag |= ISIG | NOFLSH;
  quiet.c_iflag &= ~static_cast<tcflag_t>(ICRNL);  // as the line editor reads them
  quiet.c_cc[VMIN] = 1;
  quiet.c_cc[VTIME] = 0;
  if (interrupt == InterruptIs::kKey) quiet.c_cc[VINTR] = _POSIX_VDISABLE;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
}

void make_interrupt_a_key() {
  termios mode{};
  if (!guarded.load() || ::tcgetattr(STDIN_FILENO, &mode) != 0 || mode.c_cc[VINTR] == _POSIX_VDISABLE) return;
  mode.c_cc[VINTR] = _POSIX_VDISABLE;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &mode);
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
