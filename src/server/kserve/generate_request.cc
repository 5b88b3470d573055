#include "server/kserve/generate_request.h"

#include <array>
#include <boost/json.hpp>

#include "formats/printable.h"
#include "server/openai/generation_request.h"
#include "server/openai/prepare.h"

namespace ingot::kserve {
namespace {

namespace json = boost::json;

// What other backends' clients call the same thing.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kAliases = {
    {{"stop_words", "stop"}, {"random_seed", "seed"}, {"max_new_tokens", "max_tokens"}}};
// Not the engine's, or of no meaning in this answer.
constexpr std::array kOwnFields = {"text_input",
                                   "id",
                                   "exclude_input_in_output",
                                   "return_finish_reason",
                                   "return_num_input_tokens",
                                   "return_num_output_tokens",
                                   "stream",
                                   "stream_options",
                                   "model",
                                   "echo",
                                   "logprobs",
                                   "prompt_logprobs",
                                   "binary_data_output",
                                   "triton_enable_empty_final_response"};

bool is_list(std::string_view name) { return name.ends_with("_ids") || name == "dry_sequence_breakers"; }

void add_field(json::object& to, std::string_view name, const json::value& value) {
  for (const auto& [other, ours] : kAliases)
    if (name == other) name = ours;
  const json::array* list = value.if_array();
  to[name] = list && list->size() == 1 && !is_list(name) ? list->front() : value;
}

// "sampling_parameters" and "parameters" as an object: null if there is none.
Result<json::value> inner_object(const json::object& fields, std::string_view name) {
  const json::value* inner = fields.if_contains(name);
  if (inner && inner->is_array() && inner->get_array().size() == 1) inner = &inner->get_array().front();
  if (!inner || inner->is_null()) return nullptr;
  json::value object = *inner;
  if (inner->is_string()) {
    json::parse_options options;
    options.max_depth = limits::kJsonDepthMax;
    boost::system::error_code ec;
    object = json::parse(inner->get_string(), ec, {}, options);
    if (ec) return invalid("[kserve] '{}' is not JSON: {}", name, ec.message());
  }
  if (!object.is_object()) return invalid("[kserve] '{}' must be an object", name);
  return object;
}

// The fields of all places; what stands further out wins.
Result<json::object> flatten(const json::object& fields) {
  const json::value parameters = INGOT_TRY(inner_object(fields, "parameters"));
  json::value sampling = INGOT_TRY(inner_object(fields, "sampling_parameters"));
  if (sampling.is_null() && parameters.is_object())
    sampling = INGOT_TRY(inner_object(parameters.get_object(), "sampling_parameters"));
  json::object flat;
  for (const json::value* place : {&std::as_const(sampling), &parameters})
    if (place->is_object())
      for (const auto& [name, value] : place->get_object()) add_field(flat, name, value);
  for (const auto& [name, value] : fields) add_field(flat, name, value);
  flat.erase("parameters");
  flat.erase("sampling_parameters");
  return flat;
}

Result<bool> flag(const json::object& fields, std::string_view name, bool fallback) {
  const json::value* v = fields.if_contains(name);
  if (!v || v->is_null()) return fallback;
  if (!v->is_bool()) return invalid("[kserve] '{}' must be true or false", name);
  return v->get_bool();
}

Result<std::string> text(const json::object& fields, std::string_view name, bool required) {
  const json::value* v = fields.if_contains(name);
  if ((!v || v->is_null()) && !required) return std::string();
  if (!v || !v->is_string()) return invalid("[kserve] '{}' must be a string", name);
  return std::string(v->get_string());
}

// The same failure under this protocol's tag.
Status told(const openai::ApiError& failure) {
  constexpr std::string_view kTag = "[openai] ";
  const std::string& message = failure.status.message();
  return {failure.status.code(), message.starts_with(kTag) ? "[kserve] " + message.substr(kTag.size()) : message};
}

}  // namespace

Result<GenerateRequest> make_generate(const serving::Servable& model, const json::object& fields, bool stream) {
  json::object flat = INGOT_TRY(flatten(fields));
  GenerateRequest out;
  out.id = INGOT_TRY(text(flat, "id", false));
  out.stream = INGOT_TRY(flag(flat, "stream", stream));
  const std::string prompt = INGOT_TRY(text(flat, "text_input", true));
  if (!INGOT_TRY(flag(flat, "exclude_input_in_output", true))) out.echo = prompt;
  out.wants_finish_reason = INGOT_TRY(flag(flat, "return_finish_reason", false));
  out.wants_input_tokens = INGOT_TRY(flag(flat, "return_num_input_tokens", false));
  out.wants_output_tokens = INGOT_TRY(flag(flat, "return_num_output_tokens", false));
  for (const char* name : kOwnFields) flat.erase(name);
  if (const json::value* us = flat.if_contains("timeout"); us && us->is_number())  // microseconds in this protocol
    flat["timeout"] = us->to_number<double>() / 1e6;
  flat["prompt"] = prompt;
  auto parsed = openai::parse_completion(flat);
  if (!parsed) return std::unexpected(told(parsed.error()));
  if (parsed->engine.n != 1)
    return unimplemented("[kserve] 'n': one answer for each request, not {}", parsed->engine.n);
  auto requests = openai::prepare(model, *parsed);
  if (!requests) return std::unexpected(told(requests.error()));
  out.engine = std::move(requests->front());
  out.engine.id = out.id;
  return out;
}

Result<std::optional<GeneratePiece>> PieceMaker::take(std::span<const openai::TaggedEvent> events) {
  GeneratePiece piece;
  for (const openai::TaggedEvent& e : events) {
    if (e.event.error) return std::unexpected(*e.event.error);
    text_ += e.event.text;
    piece.usage = e.event.usage;
    if (e.event.finish) piece.finish_reason = llm::finish_reason_name(*e.event.finish);
    piece.last = piece.last || e.event.done;
  }
  if (!piece.last && (!stream_ || text_.empty())) return std::nullopt;
  piece.text = std::exchange(text_, {});
  return piece;
}

}  // namespace ingot::kserve
