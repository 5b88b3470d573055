#include "server/openai/generation_request.h"

#include <algorithm>
#include <array>

#include "base/limits.h"

namespace ingot::openai {
namespace {

constexpr int64_t kTokensMax = 1 << 24;
constexpr size_t kMessagesMax = 65536;
constexpr size_t kToolsMax = 1024;
constexpr size_t kToolNameBytesMax = 128;

// Fields that would change the answer's meaning and are not built: silently ignoring them would be a lie.
constexpr std::array kUnbuilt = {"prompt_embeds", "functions", "function_call", "audio"};

void refuse_unbuilt(Fields& f) {
  for (const char* name : kUnbuilt)
    if (f.has(name)) f.fail(name, "is not supported yet");
  if (f.boolean("use_beam_search", false)) f.fail("use_beam_search", "is not supported");
}

void read_stream(Fields& f, GenerationRequest& r) {
  r.stream = f.boolean("stream", false);
  const json::object* options = f.object("stream_options");
  if (!options) return;
  if (!r.stream) f.fail("stream_options", "only means something with \"stream\": true");
  Fields inner(*options);
  r.include_usage = inner.boolean("include_usage", false);
  r.continuous_usage = inner.boolean("continuous_usage_stats", false);
  if (inner.failure()) f.fail("stream_options", "{}", inner.failure()->status.message());
}

void read_common(Fields& f, GenerationRequest& r) {
  refuse_unbuilt(f);
  r.constraint = read_constraint(f);
  r.model = f.string("model");
  read_stream(f, r);
  read_sampling(f, r);
  r.add_special_tokens = f.boolean("add_special_tokens", r.add_special_tokens);
  r.return_token_ids = f.boolean("return_token_ids", false);
  r.return_tokens_as_token_ids = f.boolean("return_tokens_as_token_ids", false);
  r.truncate_prompt_tokens = f.integer("truncate_prompt_tokens", 0, -1, kTokensMax);
  if (r.truncate_prompt_tokens < 0) r.truncate_prompt_tokens = 0;
  r.engine.priority = static_cast<int32_t>(f.integer("priority", 0, -(1 << 30), 1 << 30));
  r.engine.cache_salt = f.string("cache_salt");
  if (r.engine.cache_salt.size() > 256) f.fail("cache_salt", "is longer than 256 bytes");
  r.engine.use_prefix_cache = f.boolean("cache_prompt", true);
  const double timeout_s = f.number("timeout", 0, 0, 1e6);
  if (timeout_s > 0)
    r.engine.deadline = llm::EngineClock::now() + std::chrono::milliseconds(static_cast<int64_t>(timeout_s * 1000));
}

void set_logprobs(GenerationRequest& r) {
  if (r.logprobs) r.engine.sampler.logprobs = r.top_logprobs;
}

void read_documents(Fields& f, ChatRequest& r) {
  if (const json::array* documents = f.array("documents")) r.documents = *documents;
  if (const json::object* variables = f.object("chat_template_kwargs")) r.template_variables = *variables;
  if (f.has("reasoning_effort")) r.template_variables.emplace("reasoning_effort", f.string("reasoning_effort"));
}

bool is_tool_name(std::string_view name) {
  return !name.empty() && name.size() <= kToolNameBytesMax && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

// One entry of `tools`. Nothing: it is wrong, and told.
std::optional<tools::Tool> read_tool(Fields& f, const json::value& entry, size_t number) {
  const json::object* o = entry.if_object();
  const json::value* function = o ? o->if_contains("function") : nullptr;
  if (!function || !function->is_object()) {
    f.fail("tools", "entry {} must be an object of type 'function' with a 'function'", number);
    return std::nullopt;
  }
  Fields inner(function->get_object());
  tools::Tool tool{.name = inner.string("name")};
  if (const json::object* parameters = inner.object("parameters")) tool.parameters = *parameters;
  if (!inner.failure() && !is_tool_name(tool.name))
    inner.fail("name", "must be 1 to {} letters, digits, '_', '-' or '.'", kToolNameBytesMax);
  if (inner.failure()) {
    f.fail("tools", "entry {}: {}", number, inner.failure()->status.message());
    return std::nullopt;
  }
  return tool;
}

// "required", or one tool by name; the rest is done.
void read_demand(Fields& f, const json::value& choice, ChatRequest& r) {
  const std::string_view word = choice.is_string() ? std::string_view(choice.get_string()) : "";
  if (choice.is_string() && word != "required")
    return f.fail("tool_choice", "'{}' is none of none, auto and required", word.substr(0, 40));
  r.must_call = true;
  if (r.callable.empty()) return f.fail("tool_choice", "needs 'tools'");
  if (choice.is_string()) return;
  const json::object* o = choice.if_object();
  const json::value* function = o ? o->if_contains("function") : nullptr;
  const json::value* name = function && function->is_object() ? function->get_object().if_contains("name") : nullptr;
  if (!name || !name->is_string())
    return f.fail("tool_choice",
                  "must be none, auto, required or {{\"type\": \"function\", \"function\": {{\"name\": …}}}}");
  std::erase_if(r.callable, [&](const tools::Tool& t) { return t.name != std::string_view(name->get_string()); });
  if (r.callable.empty())
    f.fail("tool_choice", "'{}' is none of the tools", std::string_view(name->get_string()).substr(0, 64));
}

void read_tools(Fields& f, ChatRequest& r) {
  r.parallel_tool_calls = f.boolean("parallel_tool_calls", true);
  const json::array* tools = f.array("tools");
  if (tools && tools->size() > kToolsMax)
    f.fail("tools", "has {} entries, at most {} are taken", tools->size(), kToolsMax);
  for (const json::value& entry : tools ? *tools : json::array()) {
    auto tool = read_tool(f, entry, r.callable.size());
    if (!tool) return;
    r.callable.push_back(std::move(*tool));
  }
  const json::value* choice = f.any("tool_choice");
  if (choice && *choice == "none") {
    r.callable.clear();
    return;
  }
  if (choice && *choice != "auto") read_demand(f, *choice, r);
  if (r.must_call && r.constraint)
    f.fail("tool_choice", "demands a call, which cannot go together with '{}'", r.constraint->field);
  if (tools && !tools->empty()) r.tools = *tools;
}

}  // namespace

std::vector<Prompt> read_prompts(Fields& f, std::string_view name) {
  std::vector<Prompt> prompts;
  const json::value* v = f.any(name);
  if (!v) {
    f.fail(name, "is missing");
    return prompts;
  }
  if (v->is_string()) return {Prompt(std::string(v->get_string()))};
  if (!v->is_array() || v->get_array().empty()) {
    f.fail(name, "must be a string, token ids, or a list of these; it is {}",
           v->is_array() ? "an empty array" : kind_name(*v));
    return prompts;
  }
  const json::array& items = v->get_array();
  if (items[0].is_number()) return {Prompt(f.token_ids(name, limits::kPromptBytesMax))};
  if (items.size() > kPromptsMax) {
    f.fail(name, "has {} entries, at most {} are taken at once", items.size(), kPromptsMax);
    return prompts;
  }
  for (const json::value& item : items) {
    if (item.is_string()) {
      prompts.emplace_back(std::string(item.get_string()));
    } else if (item.is_array()) {
      const json::object one{{"prompt", item}};
      Fields inner(one);
      prompts.emplace_back(inner.token_ids("prompt", limits::kPromptBytesMax));
      if (inner.failure()) f.fail(name, "entry {} holds what is no token id", prompts.size() - 1);
    } else {
      f.fail(name, "entry {} is {}, must be a string or token ids", prompts.size(), kind_name(item));
      return prompts;
    }
  }
  return prompts;
}

void read_conversation(Fields& f, ChatRequest& r) {
  const json::array* messages = f.array("messages");
  if (!messages || messages->empty()) {
    f.fail("messages", "must be a list with at least one message");
    return;
  }
  if (messages->size() > kMessagesMax) f.fail("messages", "has {} entries", messages->size());
  for (size_t i = 0; i < messages->size() && !f.failure(); ++i) {
    const json::value& m = (*messages)[i];
    const json::value* role = m.is_object() ? m.get_object().if_contains("role") : nullptr;
    if (!role || !role->is_string()) f.fail("messages", "message {} must be an object with a 'role'", i);
  }
  r.messages = *messages;
  read_tools(f, r);
  r.include_reasoning = f.boolean("include_reasoning", true);
  read_documents(f, r);
  r.chat_template = f.string("chat_template");
  if (r.chat_template.size() > limits::kTemplateBytesMax) f.fail("chat_template", "is too long");
  r.add_generation_prompt = f.boolean("add_generation_prompt", true);
  r.continue_final_message = f.boolean("continue_final_message", false);
  if (r.continue_final_message && f.has("add_generation_prompt") && r.add_generation_prompt)
    f.fail("continue_final_message", "cannot go together with add_generation_prompt");
  if (r.continue_final_message) r.add_generation_prompt = false;
}

Parsed<CompletionRequest> parse_completion(const json::object& body) {
  CompletionRequest r;
  Fields f(body);
  read_common(f, r);
  r.prompts = read_prompts(f, "prompt");
  r.echo = f.boolean("echo", false);
  r.engine.max_tokens = f.integer("max_tokens", 16, 0, kTokensMax);
  if (f.has("logprobs") && !(f.any("logprobs")->is_bool() && !f.any("logprobs")->get_bool())) {
    r.logprobs = true;
    r.top_logprobs = static_cast<int>(f.integer("logprobs", 0, 0, kTopLogprobsMax));
    if (r.echo) r.engine.prompt_logprobs = std::max(r.engine.prompt_logprobs.value_or(0), r.top_logprobs);
  }
  set_logprobs(r);
  if (f.has("suffix") && !f.string("suffix").empty()) f.fail("suffix", "is not supported");
  if (f.integer("best_of", r.engine.n, 1, kChoicesMax) != r.engine.n) f.fail("best_of", "must equal n");
  if (r.prompts.size() * static_cast<size_t>(r.engine.n) > kPromptsMax)
    f.fail("n", "{} prompts of {} choices are more than {}", r.prompts.size(), r.engine.n, kPromptsMax);
  if (f.failure()) return std::unexpected(*f.failure());
  return r;
}

Parsed<ChatRequest> parse_chat(const json::object& body) {
  ChatRequest r;
  r.add_special_tokens = false;  // the template writes them
  Fields f(body);
  read_common(f, r);
  read_conversation(f, r);
  r.engine.max_tokens = f.integer("max_tokens", -1, 1, kTokensMax);
  r.engine.max_tokens = f.integer("max_completion_tokens", r.engine.max_tokens, 1, kTokensMax);
  r.logprobs = f.boolean("logprobs", false);
  r.top_logprobs = static_cast<int>(f.integer("top_logprobs", 0, 0, kTopLogprobsMax));
  if (r.top_logprobs > 0 && !r.logprobs) f.fail("top_logprobs", "needs \"logprobs\": true");
  set_logprobs(r);
  if (f.failure()) return std::unexpected(*f.failure());
  return r;
}

}  // namespace ingot::openai
