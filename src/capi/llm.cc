#include "capi/llm.h"

#include <boost/json.hpp>

#include "capi/options.h"
#include "formats/json.h"
#include "formats/printable.h"
#include "llm/loaded_model.h"

namespace ingot::capi {
namespace {

namespace json = boost::json;

Result<std::shared_ptr<LlmObject>> load(const std::string& path, const Settings& settings) {
  const std::string kv_type = settings.text("kv_type", "f16");
  const RunnerOptions runner{.pool = INGOT_TRY(settings.pool()),
                             .backends = settings.backends(),
                             .kv_dtype = dtype_from_name(kv_type).value_or(DType::kF16),  // judged when it was set
                             .context = settings.integer("context", 0),
                             .kv_tokens = settings.integer("kv_tokens", 0)};
  llm::EngineOptions engine;
  engine.batch_tokens = settings.integer("batch_tokens", engine.batch_tokens);
  engine.sequences_max = settings.integer("sequences_max", engine.sequences_max);
  engine.queue_requests_max = settings.integer("queue_max", engine.queue_requests_max);
  engine.prefix_cache = settings.integer("prefix_cache", 1) != 0;
  return std::make_shared<LlmObject>(
      LlmObject{INGOT_TRY(llm::Engine::create(INGOT_TRY(llm::load_model(path, runner)), engine))});
}

Result<RenderOptions> render_options(const char* settings) {
  if (!settings) return RenderOptions{};
  const json::value parsed = INGOT_TRY(parse_json(settings, "[capi] argument 'settings'"));
  const json::object* object = parsed.if_object();
  if (!object) return invalid("[capi] argument 'settings' is no JSON object");
  return RenderOptions::from_json(*object);
}

Result<int64_t> fact(const llm::Engine& engine, std::string_view name) {
  const SpecialTokens& special = engine.tokenizer().special();
  if (name == "context") return engine.context();
  if (name == "vocabulary") return engine.config().vocab;
  if (name == "tokens") return engine.tokenizer().vocab_size();
  if (name == "bos") return special.bos.value_or(-1);
  if (name == "eos") return special.eos.value_or(-1);
  if (name == "add_bos") return special.add_bos ? 1 : 0;
  if (name == "has_chat_template") return engine.chat_template() ? 1 : 0;
  return invalid("[capi] argument 'name': '{}' is none of: context vocabulary tokens bos eos add_bos has_chat_template",
                 printable(name));
}

}  // namespace

Result<std::string> render_chat(const llm::Engine& engine, const char* messages, const char* settings) {
  INGOT_TRY(check_pointer(messages, "messages"));
  const json::value parsed = INGOT_TRY(parse_json(messages, "[capi] argument 'messages'"));
  const RenderOptions options = INGOT_TRY(render_options(settings));
  if (!engine.chat_template())
    return error(Code::kFailedPrecondition,
                 "[capi] this model has no chat template (it is a base model): give it a prompt");
  return engine.chat_template()->render(parsed, options);
}

}  // namespace ingot::capi

using namespace ingot;        // NOLINT(google-build-using-namespace): this file is their C side
using namespace ingot::capi;  // NOLINT(google-build-using-namespace)

ingot_status* ingot_llm_load(const char* path, const ingot_options* options, ingot_llm** llm) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(path, "path"));
    INGOT_TRY(check_pointer(llm, "llm"));
    const auto given = options ? INGOT_TRY(object_of(options, "options")) : nullptr;
    const Settings settings = INGOT_TRY(Settings::create(given.get(), ModelKind::kLanguage));
    *llm = make_handle<ingot_llm>(INGOT_TRY(load(path, settings)));
    return {};
  });
}

void ingot_llm_release(ingot_llm* llm) { release_handle(llm); }

ingot_status* ingot_llm_get_int(const ingot_llm* llm, const char* name, int64_t* value) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(llm, "llm"));
    INGOT_TRY(check_pointer(name, "name"));
    INGOT_TRY(check_pointer(value, "value"));
    *value = INGOT_TRY(fact(*object->engine, name));
    return {};
  });
}

ingot_status* ingot_llm_tokenize(const ingot_llm* llm, const char* text, size_t length, int add_special,
                                 int parse_special, int32_t* ids, size_t capacity, size_t* count) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(llm, "llm"));
    if (length > 0) INGOT_TRY(check_pointer(text, "text"));
    if (capacity > 0) INGOT_TRY(check_pointer(ids, "ids"));
    INGOT_TRY(check_pointer(count, "count"));
    const auto found = INGOT_TRY(object->engine->tokenizer().encode(std::string_view(length > 0 ? text : "", length),
                                                                    add_special != 0, parse_special != 0));
    std::copy_n(found.begin(), std::min(found.size(), capacity), ids);
    *count = found.size();
    return {};
  });
}

ingot_status* ingot_llm_detokenize(const ingot_llm* llm, const int32_t* ids, size_t count, int show_special,
                                   ingot_text** text) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(llm, "llm"));
    if (count > 0) INGOT_TRY(check_pointer(ids, "ids"));
    INGOT_TRY(check_pointer(text, "text"));
    const Tokenizer& tokenizer = object->engine->tokenizer();
    for (size_t i = 0; i < count; ++i)
      if (ids[i] < 0 || ids[i] >= tokenizer.vocab_size())
        return invalid("[capi] argument 'ids': {} is outside the vocabulary of {}", ids[i], tokenizer.vocab_size());
    *text = make_handle<ingot_text>(
        std::make_shared<TextObject>(TextObject{tokenizer.decode({ids, count}, show_special == 0)}));
    return {};
  });
}

ingot_status* ingot_llm_render_chat(const ingot_llm* llm, const char* messages, const char* settings,
                                    ingot_text** text) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(llm, "llm"));
    INGOT_TRY(check_pointer(text, "text"));
    std::string prompt = INGOT_TRY(render_chat(*object->engine, messages, settings));
    *text = make_handle<ingot_text>(std::make_shared<TextObject>(TextObject{std::move(prompt)}));
    return {};
  });
}
