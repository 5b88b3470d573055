// `ingot run MODEL`: one answer to a prompt, or a chat on a terminal (chat.h).
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <memory>
#include <ranges>

#include "cli/command.h"
#include "cli/interactive/chat.h"
#include "cli/interactive/interrupt.h"
#include "cli/model_options.h"
#include "cli/option_checks.h"
#include "cli/sampler_options.h"
#include "cli/text_file.h"
#include "formats/npy/npy.h"
#include "formats/printable.h"
#include "llm/generator.h"

namespace ingot::cli {
namespace {

namespace json = boost::json;

struct Options {
  ModelOptions model;
  SamplerOptions sampler;
  std::string prompt, file, system, dump_logits;
  bool has_prompt = false, raw = false, json_output = false, special = false, verbose = false;
  int64_t max_tokens = -1;
  std::vector<std::string> stop;
  std::string forced_list;
  std::vector<int32_t> forced;
};

Result<std::string> prompt_text(const Options& o) {
  if (o.has_prompt) return o.prompt;
  return read_text(o.file.empty() ? "-" : o.file, "run");
}

std::unexpected<Status> empty_prompt() {
  return invalid("[run] the prompt is empty: give one with -p, -f or on standard input");
}

// What the model gets to see: the text itself, or a conversation through the chat template.
Result<std::vector<int32_t>> prompt_tokens(const Options& o, const llm::LoadedModel& model, const std::string& text) {
  if (text.empty()) return empty_prompt();
  if (o.raw || !model.chat_template) {
    if (!o.system.empty())
      return invalid("[run] --system needs a chat template; {}", o.raw ? "drop --raw" : "this model has none");
    return model.tokenizer->encode(text, true);
  }
  json::array messages;
  if (!o.system.empty()) messages.push_back({{"role", "system"}, {"content", o.system}});
  messages.push_back({{"role", "user"}, {"content", text}});
  const std::string rendered = INGOT_TRY(model.chat_template->render(messages, {}));
  return model.tokenizer->encode(rendered, false);
}

json::array logprobs_json(const llm::Generation& g, const Tokenizer& tokenizer) {
  json::array list;
  for (const llm::TokenInfo& t : g.logprobs) {
    json::array top;
    for (const auto& alternative : t.top)
      top.push_back(
          {{"id", alternative.id}, {"token", tokenizer.token_bytes(alternative.id)}, {"logprob", alternative.logprob}});
    list.push_back(
        {{"id", t.id}, {"token", tokenizer.token_bytes(t.id)}, {"logprob", *t.logprob}, {"top", std::move(top)}});
  }
  return list;
}

void print_json(const llm::Generation& g, const llm::LoadedModel& model, std::span<const int32_t> prompt) {
  json::object out{{"text", g.text},
                   {"token_ids", json::array(g.token_ids.begin(), g.token_ids.end())},
                   {"prompt_token_ids", json::array(prompt.begin(), prompt.end())},
                   {"finish_reason", llm::finish_reason_name(g.finish_reason)}};
  if (!g.stop_string.empty()) out["stop_string"] = g.stop_string;
  if (!g.logprobs.empty()) out["logprobs"] = logprobs_json(g, *model.tokenizer);
  out["timings"] = {{"load_ms", model.load_ms},
                    {"prompt_ms", g.prompt_ms},
                    {"decode_ms", g.decode_ms},
                    {"prompt_tokens", g.prompt_tokens},
                    {"decode_tokens", g.token_ids.size()}};
  fmt::print("{}\n", json::serialize(out));
}

void print_timings(const llm::Generation& g, const llm::LoadedModel& model) {
  const double decoded = static_cast<double>(g.token_ids.empty() ? 0 : g.token_ids.size() - 1);
  fmt::print(
      stderr,
      "load {:.0f} ms · prompt {} tokens in {:.0f} ms ({:.1f}/s) · answer {} tokens in {:.0f} ms ({:.1f}/s) · {}\n",
      model.load_ms, g.prompt_tokens, g.prompt_ms, 1000.0 * static_cast<double>(g.prompt_tokens) / g.prompt_ms,
      g.token_ids.size(), g.decode_ms, g.decode_ms > 0 ? 1000.0 * decoded / g.decode_ms : 0,
      llm::finish_reason_name(g.finish_reason));
}

Result<void> write_logits(const std::string& path, const std::vector<float>& logits, int64_t vocab) {
  return write_npy(path, {DType::kF32, {static_cast<int64_t>(logits.size()) / vocab, vocab}, logits.data()});
}

Result<void> answer(const Options& o, llm::LoadedModel& model, const llm::SamplerParams& sampler) {
  const auto prompt = INGOT_TRY(prompt_tokens(o, model, INGOT_TRY(prompt_text(o))));
  std::vector<float> logits;
  llm::GenerateOptions generate{
      .sampler = sampler, .max_tokens = o.max_tokens, .stop = o.stop, .show_special = o.special, .forced = o.forced};
  if (!o.dump_logits.empty())
    generate.on_logits = [&](std::span<const float> row) { logits.insert(logits.end(), row.begin(), row.end()); };
  llm::Generator generator(model);
  if (!o.json_output) generate.on_text = [&](std::string_view piece) { print_answer(piece, generator); };
  const CancelOnInterrupt interrupt(generator);
  const llm::Generation g = INGOT_TRY(generator.generate(prompt, generate));
  if (!o.dump_logits.empty()) INGOT_TRY(write_logits(o.dump_logits, logits, model.runner->vocab()));
  if (o.json_output)
    print_json(g, model, prompt);
  else
    fmt::print("\n");
  if (o.verbose)
    print_timings(g, model);
  else if (g.finish_reason == llm::FinishReason::kContextFull)
    fmt::print(stderr, "the context of {} tokens is full: raise --ctx\n", model.runner->context());
  // Where the output could not be written, main() says so.
  if (g.finish_reason == llm::FinishReason::kCancelled && !std::ferror(stdout))
    return error(Code::kCancelled, "[run] interrupted");
  return {};
}

Result<void> run(const Options& o) {
  const bool chat = o.forced.empty() && o.dump_logits.empty() && !o.has_prompt && o.file.empty() && !o.json_output &&
                    ::isatty(STDIN_FILENO) && ::isatty(STDOUT_FILENO);
  if (o.has_prompt && o.prompt.empty()) return empty_prompt();
  llm::LoadedModel model = INGOT_TRY(load(o.model, 0, o.json_output));
  for (int32_t id : o.forced)
    if (id >= model.runner->vocab())
      return invalid("[cli] --force-tokens: {} is not a token id: the model's are 0 to {}", id,
                     model.runner->vocab() - 1);
  const llm::SamplerParams sampler = INGOT_TRY(sampler_params(o.sampler, *model.tokenizer));
  if (!chat) return answer(o, model, sampler);
  return run_chat(model, {.sampler = sampler, .max_tokens = o.max_tokens, .stop = o.stop, .show_special = o.special},
                  {.system = o.system, .raw = o.raw, .timings = o.verbose});
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("run", "Answer a prompt, or chat on a terminal");
  add_model_options(*c, o->model);
  auto* prompt = c->add_option("-p,--prompt", o->prompt, "The prompt");
  c->add_option("-f,--file", o->file, "Read the prompt from a file; -: from standard input")->excludes(prompt);
  c->add_option("--system", o->system, "System message of the conversation");
  c->add_flag("--raw", o->raw, "Continue the text as it is: no chat template");
  c->add_option("-n,--max-tokens", o->max_tokens, "Longest answer in tokens; -1: until the model ends it")
      ->capture_default_str()
      ->check(integer_in(-1, int64_t{1} << 31));
  c->add_option("--stop", o->stop, "End the answer before this text (repeatable)")
      ->allow_extra_args(false)
      ->check(not_empty());
  c->add_flag("--special", o->special, "Show the text of special tokens");
  c->add_flag("--json", o->json_output, "One JSON object: text, token_ids, prompt_token_ids, finish_reason, timings");
  c->add_flag("-v,--verbose", o->verbose, "Timings on standard error");
  c->add_option("--force-tokens", o->forced_list, "Feed these token ids instead of the sampled ones (1,2,3)")
      ->check(list_of(integer_in(0, std::numeric_limits<int32_t>::max())))
      ->group("Checking");
  c->add_option("--dump-logits", o->dump_logits, "Write each step's logits to this .npy file, f32 [steps, V]")
      ->group("Checking");
  add_sampler_options(*c, o->sampler);
  c->footer(
      "\nWithout -p and -f: reads standard input, or chats if it is a terminal.\n"
      "\nExamples:\n"
      "  ingot run model.gguf -p \"The capital of France is\" -n 32\n"
      "  ingot run model.gguf                      # chat; Ctrl-C stops an answer, Ctrl-D leaves\n"
      "  ingot run hf:Qwen/Qwen3-0.6B -p \"Why is the sky blue?\" --temperature 0\n"
      "  git diff | ingot run model.gguf --system \"Review this change.\" -f -\n"
      "  ingot run model.gguf -p \"Once\" --seed 7 --json | jq .text");
  c->callback([o, prompt, &action] {
    o->has_prompt = prompt->count() > 0;
    for (const auto id : std::views::split(o->forced_list, ','))
      if (!id.empty()) o->forced.push_back(std::stoi(std::string(id.begin(), id.end())));
    check_sampler_options(o->sampler);
    if (o->sampler.logprobs >= 0 && !o->json_output) throw CLI::ValidationError("--logprobs needs --json");
    action = [o] { return run(*o); };
  });
}

}  // namespace ingot::cli
