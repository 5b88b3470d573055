#include "cli/interactive/chat.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "cli/interactive/interrupt.h"
#include "cli/interactive/line_editor.h"
#include "cli/interactive/terminal.h"
#include "formats/printable.h"

namespace ingot::cli {
namespace {

namespace json = boost::json;

constexpr size_t kErrorBytesShown = 2000;

// $XDG_STATE_HOME/ingot/history, else ~/.local/state/ingot/history; "" if there is no home.
std::string history_path() {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path folder;
  if (state && *state)
    folder = state;
  else if (home && *home)
    folder = std::filesystem::path(home) / ".local" / "state";
  else
    return "";
  folder /= "ingot";
  std::error_code ec;
  std::filesystem::create_directories(folder, ec);
  return ec ? "" : (folder / "history").string();
}

enum class Message { kText, kDropped, kInterrupted, kEnd };

class Chat {
 public:
  Chat(llm::LoadedModel& model, llm::GenerateOptions generate, const ChatOptions& options)
      : model_(model), generator_(model), generate_(std::move(generate)), options_(options) {
    generate_.on_text = [this](std::string_view piece) { print_answer(piece, generator_); };
    reset();
  }

  Result<void> run() {
    fmt::print("{}\n/help lists commands; Ctrl-C stops an answer, Ctrl-D leaves.\n",
               uses_template() ? "A new conversation." : "This model has no chat template: it continues the text.");
    std::string text;
    for (bool warned = false;;) {
      const Message message = read_message(text);
      if (message == Message::kEnd) return {};
      if (message == Message::kInterrupted) {
        if (warned) return error(Code::kCancelled, "[run] interrupted");
        fmt::print("(Ctrl-C again, Ctrl-D or /exit leaves)\n");
      }
      warned = message == Message::kInterrupted;
      if (message != Message::kText || text.empty()) continue;
      if (text.starts_with("/")) {
        if (!command(text)) return {};
        continue;
      }
      if (auto ok = answer(text); !ok)
        fmt::print(stderr, "error: {}\n", printable(ok.error().message(), kErrorBytesShown));
      fmt::print("\n");
    }
  }

 private:
  bool uses_template() const { return model_.chat_template && !options_.raw; }

  void reset() {
    messages_.clear();
    text_.clear();
    if (!options_.system.empty() && uses_template())
      messages_.push_back({{"role", "system"}, {"content", options_.system}});
  }

  // One message: a line, lines ended by a backslash, or everything between two lines of """.
  Message read_message(std::string& out) {
    out.clear();
    bool block = false;
    std::string line;
    for (bool first = true;; first = false) {
      const LineEditor::Outcome outcome = editor_.read(first ? "> " : ". ", line);
      if (outcome == LineEditor::Outcome::kEnd) return Message::kEnd;
      if (outcome == LineEditor::Outcome::kInterrupted)
        return first && line.empty() ? Message::kInterrupted : Message::kDropped;
      if (line == "\"\"\"") {
        if (block) break;
        block = true;
        continue;
      }
      const bool more = !block && line.ends_with('\\');
      if (more) line.pop_back();
      out += line;
      if (!block && !more) break;
      out += '\n';
    }
    if (!out.empty()) editor_.remember(out);
    return Message::kText;
  }

  // False: leave.
  bool command(const std::string& text) {
    if (text == "/bye" || text == "/exit" || text == "/quit") return false;
    if (text == "/clear") {
      reset();
      fmt::print("A new conversation.\n");
    } else {
      fmt::print(
          "{}/clear  start a new conversation\n/exit   leave (also /bye, Ctrl-D)\nA line that ends in \\ goes on; "
          "\"\"\" begins and ends a "
          "block of lines.\n",
          text == "/help" ? "" : fmt::format("There is no command {}.\n", printable(text)));
    }
    return true;
  }

  Result<std::vector<int32_t>> tokens() const {
    if (!uses_template()) return model_.tokenizer->encode(text_, true);
    return model_.tokenizer->encode(INGOT_TRY(model_.chat_template->render(messages_, {})), false);
  }

  // A turn that fails leaves the conversation as it was.
  Result<void> answer(const std::string& text) {
    const json::array messages_before = messages_;
    const std::string text_before = text_;
    if (uses_template())
      messages_.push_back({{"role", "user"}, {"content", text}});
    else
      text_ += text;
    const auto generated = generate();
    if (!generated) {
      messages_ = messages_before;
      text_ = text_before;
      return std::unexpected(generated.error());
    }
    if (uses_template())
      messages_.push_back({{"role", "assistant"}, {"content", generated->text}});
    else
      text_ += generated->text;
    fmt::print("\n");
    show_end(*generated);
    return {};
  }

  Result<llm::Generation> generate() {
    const CancelOnInterrupt interrupt(generator_);
    if (editor_.take_interrupt_key()) generator_.cancel();  // typed before this answer began
    return generator_.generate(INGOT_TRY(tokens()), generate_);
  }

  void show_end(const llm::Generation& g) const {
    if (g.finish_reason == llm::FinishReason::kContextFull)
      fmt::print(stderr, "[the context of {} tokens is full: /clear, or start with a larger --ctx]\n",
                 model_.runner->context());
    if (options_.timings)
      fmt::print(stderr, "[{} prompt tokens, {} of them cached, {:.0f} ms; {} tokens, {:.0f} ms]\n", g.prompt_tokens,
                 g.cached_tokens, g.prompt_ms, g.token_ids.size(), g.decode_ms);
  }

  const HoldInterrupts hold_;
  const TerminalGuard terminal_;
  LineEditor editor_{history_path()};
  llm::LoadedModel& model_;
  llm::Generator generator_;
  llm::GenerateOptions generate_;
  const ChatOptions options_;
  json::array messages_;  // with a template
  std::string text_;      // without one
};

}  // namespace

void print_answer(std::string_view text, llm::Generator& generator) {
  static const bool terminal = ::isatty(STDOUT_FILENO);
  if (!terminal) std::fwrite(text.data(), 1, text.size(), stdout);
  while (terminal && !text.empty()) {
    const size_t end = std::min(text.find_first_of("\n\t\r"), text.size());
    fmt::print("{}", printable(text.substr(0, end), text.npos));
    if (end < text.size() && text[end] != '\r') std::fputc(text[end], stdout);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout)) generator.cancel();
}

Result<void> run_chat(llm::LoadedModel& model, llm::GenerateOptions generate, const ChatOptions& options) {
  return Chat(model, std::move(generate), options).run();
}

}  // namespace ingot::cli
