#include "capi/request.h"

#include <chrono>
#include <limits>

#include "base/limits.h"
#include "capi/llm.h"
#include "capi/options.h"
#include "formats/printable.h"

namespace ingot::capi {
namespace {

using llm::SamplerParams;
using Setter = Result<void> (*)(RequestObject& request, std::string_view key, std::string_view text);
using GrammarKind = llm::GrammarSpec::Kind;

// Setters of one field, by its type. Ranges are the engine's to judge (llm::validate).
template <class T>
Result<T> parsed(std::string_view key, std::string_view text) {
  if constexpr (std::is_same_v<T, bool>)
    return parse_flag(key, text);
  else if constexpr (std::is_floating_point_v<T>)
    return static_cast<T>(INGOT_TRY(parse_number(key, text)));
  else
    return static_cast<T>(
        INGOT_TRY(parse_integer(key, text, std::numeric_limits<T>::min(), std::numeric_limits<T>::max())));
}

template <auto kField>
Result<void> sampler(RequestObject& r, std::string_view key, std::string_view text) {
  auto& field = r.settings.sampler.*kField;
  field = INGOT_TRY(parsed<std::remove_reference_t<decltype(field)>>(key, text));
  return {};
}

template <auto kField>
Result<void> engine(RequestObject& r, std::string_view key, std::string_view text) {
  auto& field = r.settings.*kField;
  field = INGOT_TRY(parsed<std::remove_reference_t<decltype(field)>>(key, text));
  return {};
}

template <std::string llm::Request::* kField>
Result<void> name(RequestObject& r, std::string_view, std::string_view text) {
  r.settings.*kField = text;
  return {};
}

// The same form may be set anew.
Result<void> set_grammar(RequestObject& r, std::string_view key, llm::GrammarSpec spec) {
  if (r.grammar && r.grammar->kind != spec.kind)
    return invalid("[capi] '{}': the request has another form already, and an answer has one", key);
  r.grammar = std::move(spec);
  return {};
}

template <GrammarKind kKind>
Result<void> grammar(RequestObject& r, std::string_view key, std::string_view text) {
  if (text.size() > limits::kGrammarBytesMax)
    return invalid("[capi] '{}': {} bytes, at most {}", key, text.size(), limits::kGrammarBytesMax);
  return set_grammar(r, key, {.kind = kKind, .text = std::string(text)});
}

Result<void> json_object(RequestObject& r, std::string_view key, std::string_view text) {
  if (INGOT_TRY(parse_flag(key, text))) return set_grammar(r, key, {.kind = GrammarKind::kJsonObject});
  if (r.grammar && r.grammar->kind == GrammarKind::kJsonObject) r.grammar.reset();
  return {};
}

Result<void> seed(RequestObject& r, std::string_view key, std::string_view text) {
  r.settings.sampler.seed = static_cast<uint64_t>(INGOT_TRY(parse_integer(key, text, INT64_MIN, INT64_MAX)));
  return {};
}

Result<void> logprobs(RequestObject& r, std::string_view key, std::string_view text) {
  r.settings.sampler.logprobs = static_cast<int32_t>(INGOT_TRY(parse_integer(key, text, 0, limits::kTopLogprobsMax)));
  return {};
}

Result<void> samplers(RequestObject& r, std::string_view, std::string_view text) {
  r.settings.sampler.order = INGOT_TRY(llm::parse_sampler_order(text));
  return {};
}

Result<void> timeout_ms(RequestObject& r, std::string_view key, std::string_view text) {
  const double ms = INGOT_TRY(parse_number(key, text));
  if (ms < 0) return invalid("[capi] '{}': {} is negative; 0 is no limit", key, ms);
  r.timeout_ms = std::min(ms, 1e12);
  return {};
}

struct Setting {
  std::string_view key;
  Setter set;
};
constexpr Setting kSettings[] = {
    {"max_tokens", engine<&llm::Request::max_tokens>},
    {"min_tokens", sampler<&SamplerParams::min_tokens>},
    {"ignore_eos", sampler<&SamplerParams::ignore_eos>},
    {"temperature", sampler<&SamplerParams::temperature>},
    {"top_k", sampler<&SamplerParams::top_k>},
    {"top_p", sampler<&SamplerParams::top_p>},
    {"min_p", sampler<&SamplerParams::min_p>},
    {"typical_p", sampler<&SamplerParams::typical_p>},
    {"top_n_sigma", sampler<&SamplerParams::top_n_sigma>},
    {"xtc_probability", sampler<&SamplerParams::xtc_probability>},
    {"xtc_threshold", sampler<&SamplerParams::xtc_threshold>},
    {"min_keep", sampler<&SamplerParams::min_keep>},
    {"dynatemp_range", sampler<&SamplerParams::dynatemp_range>},
    {"dynatemp_exponent", sampler<&SamplerParams::dynatemp_exponent>},
    {"mirostat", sampler<&SamplerParams::mirostat>},
    {"mirostat_tau", sampler<&SamplerParams::mirostat_tau>},
    {"mirostat_eta", sampler<&SamplerParams::mirostat_eta>},
    {"seed", seed},
    {"samplers", samplers},
    {"repeat_penalty", sampler<&SamplerParams::repeat_penalty>},
    {"repeat_last_n", sampler<&SamplerParams::repeat_last_n>},
    {"frequency_penalty", sampler<&SamplerParams::frequency_penalty>},
    {"presence_penalty", sampler<&SamplerParams::presence_penalty>},
    {"prompt_counts", sampler<&SamplerParams::prompt_counts>},
    {"dry_multiplier", sampler<&SamplerParams::dry_multiplier>},
    {"dry_base", sampler<&SamplerParams::dry_base>},
    {"dry_allowed_length", sampler<&SamplerParams::dry_allowed_length>},
    {"dry_penalty_last_n", sampler<&SamplerParams::dry_penalty_last_n>},
    {"json_schema", grammar<GrammarKind::kJsonSchema>},
    {"grammar", grammar<GrammarKind::kGbnf>},
    {"regex", grammar<GrammarKind::kRegex>},
    {"json_object", json_object},
    {"n", engine<&llm::Request::n>},
    {"logprobs", logprobs},
    {"include_stop", engine<&llm::Request::include_stop>},
    {"show_special", engine<&llm::Request::show_special>},
    {"timeout_ms", timeout_ms},
    {"priority", engine<&llm::Request::priority>},
    {"use_prefix_cache", engine<&llm::Request::use_prefix_cache>},
    {"cache_salt", name<&llm::Request::cache_salt>},
    {"tenant", name<&llm::Request::tenant>},
    {"id", name<&llm::Request::id>},
};

Result<void> set(RequestObject& request, std::string_view key, std::string_view value) {
  for (const Setting& s : kSettings)
    if (s.key == key) return s.set(request, key, value);
  std::string known;
  for (const Setting& s : kSettings) known += fmt::format(" {}", s.key);
  return invalid("[capi] request setting '{}' is unknown; there are:{}", printable(key), known);
}

Result<std::string> text_of(const char* text, size_t length) {
  if (length > 0) INGOT_TRY(check_pointer(text, "text"));
  return length > 0 ? std::string(text, length) : std::string();
}

Result<std::vector<int32_t>> encode_prompt(const llm::Engine& engine, const RequestObject& r) {
  if (const auto* text = std::get_if<std::string>(&r.prompt)) return engine.tokenizer().encode(*text, true);
  if (const auto* ids = std::get_if<std::vector<int32_t>>(&r.prompt)) return *ids;
  if (const auto* chat = std::get_if<ChatPrompt>(&r.prompt))
    return engine.tokenizer().encode(
        INGOT_TRY(render_chat(engine, chat->messages.c_str(), chat->settings ? chat->settings->c_str() : nullptr)),
        false);
  return invalid("[capi] the request has no prompt: ingot_request_set_prompt(), _tokens() or _messages()");
}

}  // namespace

Result<llm::Request> engine_request(const llm::Engine& engine, const RequestObject& r) {
  llm::Request out = r.settings;
  out.prompt = INGOT_TRY(encode_prompt(engine, r));
  if (r.grammar) out.make_mask = INGOT_TRY(engine.compile_grammar(*r.grammar));
  if (r.timeout_ms > 0)
    out.deadline = llm::EngineClock::now() + std::chrono::duration_cast<llm::EngineClock::duration>(
                                                 std::chrono::duration<double, std::milli>(r.timeout_ms));
  return out;
}

}  // namespace ingot::capi

using namespace ingot;        // NOLINT(google-build-using-namespace): this file is their C side
using namespace ingot::capi;  // NOLINT(google-build-using-namespace)

ingot_status* ingot_request_create(ingot_request** request) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(request, "request"));
    *request = make_handle<ingot_request>(std::make_shared<RequestObject>());
    return {};
  });
}

void ingot_request_release(ingot_request* request) { release_handle(request); }

ingot_status* ingot_request_set_prompt(ingot_request* request, const char* text, size_t length) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(object_of(request, "request"))->prompt = INGOT_TRY(text_of(text, length));
    return {};
  });
}

ingot_status* ingot_request_set_prompt_tokens(ingot_request* request, const int32_t* ids, size_t count) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(request, "request"));
    INGOT_TRY(check_pointer(ids, "ids"));
    object->prompt = std::vector<int32_t>(ids, ids + count);
    return {};
  });
}

ingot_status* ingot_request_set_messages(ingot_request* request, const char* messages, const char* settings) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(request, "request"));
    INGOT_TRY(check_pointer(messages, "messages"));
    ChatPrompt chat{.messages = messages};
    if (settings) chat.settings = settings;
    object->prompt = std::move(chat);
    return {};
  });
}

ingot_status* ingot_request_set(ingot_request* request, const char* key, const char* value) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(request, "request"));
    INGOT_TRY(check_pointer(key, "key"));
    INGOT_TRY(check_pointer(value, "value"));
    return set(*object, key, value);
  });
}

ingot_status* ingot_request_add_stop(ingot_request* request, const char* text, size_t length) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(request, "request"));
    object->settings.stop.push_back(INGOT_TRY(text_of(text, length)));
    return {};
  });
}

ingot_status* ingot_request_add_stop_token(ingot_request* request, int32_t id) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(object_of(request, "request"))->settings.stop_token_ids.push_back(id);
    return {};
  });
}

ingot_status* ingot_request_add_logit_bias(ingot_request* request, int32_t id, float bias) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(object_of(request, "request"))->settings.sampler.logit_bias.emplace_back(id, bias);
    return {};
  });
}

ingot_status* ingot_request_add_dry_breaker(ingot_request* request, const char* text, size_t length) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(request, "request"));
    auto& breakers = object->settings.sampler.dry_sequence_breakers;
    if (std::exchange(object->default_breakers, false)) breakers.clear();
    breakers.push_back(INGOT_TRY(text_of(text, length)));
    return {};
  });
}
