// The terminal's modes while a chat runs. Whatever ends the program (a signal, too) leaves the terminal as it was.
// Thread-safety: the main thread; restore_terminal() also from a signal handler.
#pragma once

namespace ingot::cli {

// While it lives, SIGTERM, SIGHUP and SIGQUIT restore the terminal before they end the program, and a stop (Ctrl-Z)
// restores it before the program stops and sets it again when it goes on. One at a time.
class TerminalGuard {
 public:
  TerminalGuard();
  ~TerminalGuard();
  TerminalGuard(const TerminalGuard&) = delete;
  TerminalGuard& operator=(const TerminalGuard&) = delete;
};

// While it lives, keys are neither echoed (an answer is being printed) nor lost: they wait, as they came, for the
// next line. Only Ctrl-C, Ctrl-Z and Ctrl-\ act at once.
class QuietKeys {
 public:
  QuietKeys();
  ~QuietKeys();
  QuietKeys(const QuietKeys&) = delete;
  QuietKeys& operator=(const QuietKeys&) = delete;

 private:
  bool changed_ = false;
};

// While it lives, Ctrl-C is a key and no signal: a signal would drop the keys that were typed before it.
class InterruptIsKey {
 public:
  InterruptIsKey();
  ~InterruptIsKey();
  InterruptIsKey(const InterruptIsKey&) = delete;
  InterruptIsKey& operator=(const InterruptIsKey&) = delete;

 private:
  bool changed_ = false;
};

// Asks the terminal to mark pasted text, or no longer; restore_terminal() takes it back.
void mark_pastes(bool on);

// Whether the window changed its size, or the program was stopped and went on, since the last call.
bool take_redraw();

// As the terminal was when the TerminalGuard was made; nothing without one.
void restore_terminal();

}  // namespace ingot::cli
