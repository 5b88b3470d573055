#include "cli/interactive/line_editor.h"

#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <clocale>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "cli/interactive/interrupt.h"
#include "cli/interactive/terminal.h"

namespace ingot::cli {
namespace {

constexpr int kHistoryEntries = 1000;
constexpr size_t kPasteCharactersMax = size_t{1} << 22;
constexpr std::wstring_view kPasteEnd = L"\033[201~";
constexpr char kInterruptKey = 3;  // Ctrl-C
constexpr size_t kKeysKeptMax = size_t{1} << 20;
constexpr wchar_t kReplacement = 0xFFFD;

// The editor decodes by the locale; under "C" (containers, ssh) it would show every umlaut as two octal numbers.
void use_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::string_view(nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
}

bool smart_terminal() {
  const char* term = std::getenv("TERM");
  return term && *term && std::string_view(term) != "dumb" && ::isatty(STDOUT_FILENO);
}

// Waits for input; false if a signal came first. The signals that matter here are let in only while it waits, so
// that none slips in between looking at its flag and waiting.
class Wait {
 public:
  Wait() {
    sigset_t set;
    sigemptyset(&set);
    for (int signal : {SIGINT, SIGWINCH, SIGTSTP}) sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, &before_);
  }
  ~Wait() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  bool for_input() const {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN};
    return ::ppoll(&input, 1, nullptr, &before_) > 0;
  }

 private:
  sigset_t before_;
};

}  // namespace

LineEditor::LineEditor(std::string history_file)
    : messages_(std::fopen("/dev/null", "we")),
      history_file_(std::move(history_file)),
      bracketed_paste_(smart_terminal()) {
  use_utf8();
  restore_terminal();  // the library learns the user's erase key and the like
  editor_ = el_init("ingot", stdin, stdout, messages_ ? messages_ : stderr);
  history_ = history_init();
  HistEvent event;
  history(history_, &event, H_SETSIZE, kHistoryEntries);
  history(history_, &event, H_SETUNIQUE, 1);
  if (!history_file_.empty()) history(history_, &event, H_LOAD, history_file_.c_str());
  el_set(editor_, EL_CLIENTDATA, this);
  el_set(editor_, EL_EDITOR, "emacs");
  el_set(editor_, EL_GETCFN, &LineEditor::next_character);
  el_set(editor_, EL_PROMPT, &LineEditor::prompt_of);
  el_set(editor_, EL_HIST, history, history_);
  el_set(editor_, EL_ADDFN, "ingot-interrupt", "Drop this line", &LineEditor::on_interrupt);
  el_set(editor_, EL_ADDFN, "ingot-paste", "Insert pasted text", &LineEditor::on_paste);
  el_set(editor_, EL_BIND, "^C", "ingot-interrupt", nullptr);
  el_set(editor_, EL_BIND, "\\e[200~", "ingot-paste", nullptr);
  el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  quiet_keys(InterruptIs::kSignal);
}

LineEditor::~LineEditor() {
  el_end(editor_);
  history_end(history_);
  if (messages_) std::fclose(messages_);
}

LineEditor& LineEditor::self(EditLine* editor) {
  void* me = nullptr;
  el_get(editor, EL_CLIENTDATA, &me);
  return *static_cast<LineEditor*>(me);
}

char* LineEditor::prompt_of(EditLine* editor) { return self(editor).prompt_.data(); }

// Appends what the terminal has to typed_. False with errno (0 at the end of input) if it has nothing.
bool LineEditor::read_keys() {
  std::array<char, 4096> part;
  errno = 0;
  const ssize_t n = ::read(STDIN_FILENO, part.data(), part.size());
  if (n <= 0) return false;
  typed_.erase(0, std::exchange(taken_, 0));
  typed_.append(part.data(), static_cast<size_t>(n));
  return true;
}

bool LineEditor::take_interrupt_key() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN};
  while (typed_.size() < kKeysKeptMax && ::poll(&input, 1, 0) > 0 && read_keys()) {
  }
  const size_t at = typed_.find(kInterruptKey, taken_);
  if (at == typed_.npos) return false;
  typed_.erase(at, 1);
  return true;
}

// The next byte that was typed (Ctrl-C for a SIGINT that no key made); -1 at the end of input.
int LineEditor::next_byte() {
  if (taken_ == typed_.size()) make_interrupt_a_key();  // the library has set a mode of its own
  while (taken_ == typed_.size()) {
    const Wait wait;
    if (take_interrupt()) {
      typed_.assign(1, kInterruptKey);
      taken_ = 0;
      break;
    }
    if (take_redraw()) {
      el_resize(editor_);
      el_set(editor_, EL_REFRESH);
    }
    if (!wait.for_input()) {
      if (errno != EINTR) return -1;
      continue;
    }
    if (!read_keys() && errno != EINTR && errno != EAGAIN) return -1;
  }
  return static_cast<unsigned char>(typed_[taken_++]);
}

// Decodes UTF-8; what is none becomes U+FFFD.
int LineEditor::next_character(EditLine* editor, wchar_t* c) {
  LineEditor& me = self(editor);
  const int first = me.next_byte();
  if (first < 0) return 0;
  const int more = first < 0x80 ? 0 : first >= 0xF0 && first < 0xF5 ? 3 : first >= 0xE0 ? 2 : first >= 0xC2 ? 1 : -1;
  uint32_t code = more <= 0 ? static_cast<uint32_t>(first) : static_cast<uint32_t>(first & (0x3F >> more));
  bool valid = more >= 0 && first < 0xF5;
  for (int i = 0; valid && i < more; ++i) {
    const int next = me.next_byte();
    if (next < 0) return 0;
    valid = (next & 0xC0) == 0x80;
    if (valid)
      code = code << 6 | static_cast<uint32_t>(next & 0x3F);
    else
      --me.taken_;  // it begins another character
  }
  constexpr std::array<uint32_t, 4> kLeast = {0, 0x80, 0x800, 0x10000};
  if (valid && (code < kLeast[static_cast<size_t>(more)] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)))
    valid = false;
  *c = valid ? static_cast<wchar_t>(code) : kReplacement;
  return 1;
}

unsigned char LineEditor::on_interrupt(EditLine* editor, int) {
  self(editor).interrupted_ = true;
  return CC_NEWLINE;
}

unsigned char LineEditor::on_paste(EditLine* editor, int) {
  std::wstring text;
  wchar_t c = 0;
  while (text.size() < kPasteCharactersMax && el_wgetc(editor, &c) == 1) {
    text += c == L'\r' ? L'\n' : c;
    if (!text.ends_with(kPasteEnd)) continue;
    text.resize(text.size() - kPasteEnd.size());
    break;
  }
  return el_winsertstr(editor, text.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
}

LineEditor::Outcome LineEditor::read(const std::string& prompt, std::string& line) {
  prompt_ = prompt;
  interrupted_ = false;
  line.clear();
  std::fflush(stdout);
  quiet_keys(InterruptIs::kKey);  // before the prompt is seen
  if (bracketed_paste_) mark_pastes(true);
  int bytes = 0;
  const char* got = el_gets(editor_, &bytes);
  quiet_keys(InterruptIs::kSignal);
  std::fflush(stdout);
  if (bracketed_paste_) mark_pastes(false);
  if (got && bytes > 0) line.assign(got, static_cast<size_t>(bytes));
  if (interrupted_ || line.empty()) {
    std::fputs("\n", stdout);
    return interrupted_ ? Outcome::kInterrupted : Outcome::kEnd;
  }
  if (line.ends_with('\n')) line.pop_back();
  return Outcome::kLine;
}

void LineEditor::remember(const std::string& text) {
  HistEvent event;
  history(history_, &event, H_ENTER, text.c_str());
  if (!history_file_.empty()) history(history_, &event, H_SAVE, history_file_.c_str());
}

}  // namespace ingot::cli
