#include "cli/interactive/chat.h"

#include <editline/readline.h>
#include <fmt/format.h>
#include <signal.h>

#include <atomic>
#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace ingot::cli {
namespace {

namespace json = boost::json;

std::atomic<llm::Generator*> interrupted{nullptr};
struct sigaction previous_action;

void on_interrupt(int) {
  if (llm::Generator* g = interrupted.load()) g->cancel();
}

constexpr int kHistoryLines = 1000;

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

class Chat {
 public:
  Chat(llm::LoadedModel& model, llm::GenerateOptions generate, const ChatOptions& options)
      : model_(model), generator_(model), generate_(std::move(generate)), options_(options), history_(history_path()) {
    generate_.on_text = [](std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    };
    reset();
  }

  Result<void> run() {
    rl_initialize();
    stifle_history(kHistoryLines);
    if (!history_.empty()) read_history(history_.c_str());
    fmt::print("{}. /help lists commands; Ctrl-C stops an answer, Ctrl-D leaves.\n",
               uses_template() ? "Chat" : "This model continues text (it has no chat template)");
    std::string text;
    while (read_message(text)) {
      if (text.empty()) continue;
      if (text.starts_with("/")) {
        if (!command(text)) break;
        continue;
      }
      if (auto ok = answer(text); !ok) fmt::print(stderr, "error: {}\n", ok.error().message());
    }
    if (!history_.empty()) write_history(history_.c_str());
    return {};
  }

 private:
  bool uses_template() const { return model_.chat_template && !options_.raw; }

  void reset() {
    messages_.clear();
    text_.clear();
    if (!options_.system.empty() && uses_template())
      messages_.push_back({{"role", "system"}, {"content", options_.system}});
  }

  // One message: a line, lines ended by a backslash, or everything between two lines of """. False at the end.
  bool read_message(std::string& out) {
    out.clear();
    bool block = false;
    for (bool first = true;; first = false) {
      char* line = readline(first ? "> " : ". ");
      if (!line) {
        fmt::print("\n");
        return false;
      }
      std::string_view view(line);
      if (view == "\"\"\"") {
        std::free(line);
        if (block) break;
        block = true;
        continue;
      }
      const bool more = !block && view.ends_with('\\');
      if (more) view.remove_suffix(1);
      out += view;
      std::free(line);
      if (!block && !more) break;
      out += '\n';
    }
    if (!out.empty()) add_history(out.c_str());
    return true;
  }

  // False: leave.
  bool command(const std::string& text) {
    if (text == "/bye" || text == "/exit" || text == "/quit") return false;
    if (text == "/clear") {
      reset();
      fmt::print("A new conversation.\n");
    } else {
      fmt::print(
          "{}/clear  start a new conversation\n/bye    leave\nA line that ends in \\ goes on; \"\"\" begins and ends a "
          "block of lines.\n",
          text == "/help" ? "" : fmt::format("unknown command {}\n", text));
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

  llm::LoadedModel& model_;
  llm::Generator generator_;
  llm::GenerateOptions generate_;
  const ChatOptions options_;
  const std::string history_;
  json::array messages_;  // with a template
  std::string text_;      // without one
};

}  // namespace

CancelOnInterrupt::CancelOnInterrupt(llm::Generator& generator) {
  interrupted.store(&generator);
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, &previous_action);
}

CancelOnInterrupt::~CancelOnInterrupt() {
  sigaction(SIGINT, &previous_action, nullptr);
  interrupted.store(nullptr);
}

Result<void> run_chat(llm::LoadedModel& model, llm::GenerateOptions generate, const ChatOptions& options) {
  return Chat(model, std::move(generate), options).run();
}

}  // namespace ingot::cli
