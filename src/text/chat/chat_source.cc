// Where a model keeps its chat template and its special tokens.
#include <boost/json.hpp>
#include <map>

#include "formats/printable.h"
#include "text/chat/chat_template.h"

namespace ingot {
namespace {

namespace json = boost::json;

struct Template {
  std::string text, origin;  // origin: the file or the key that it is from
};

struct Found {
  std::map<std::string, Template, std::less<>> templates;
  std::string wrong_type;  // the origin of a chat_template that is no text
  json::object special_tokens;
};

// "default" is the one template most models have.
Found read_gguf(const Source& source) {
  static constexpr std::string_view kKey = "tokenizer.chat_template";
  Found found;
  for (const auto& [key, value] : source.metadata()) {
    const auto* text = std::get_if<std::string_view>(&value);
    if (text == nullptr && key == kKey) found.wrong_type = kKey;
    if (text == nullptr || !key.starts_with(kKey)) continue;
    Template here{std::string(*text), std::string(key)};
    if (key == kKey)
      found.templates["default"] = std::move(here);
    else if (key.size() > kKey.size() + 1 && key[kKey.size()] == '.')
      found.templates[std::string(key.substr(kKey.size() + 1))] = std::move(here);
  }
  const MetaValue* list = source.find_metadata("tokenizer.ggml.tokens");
  const auto* tokens = list != nullptr ? std::get_if<std::vector<std::string_view>>(list) : nullptr;
  static constexpr std::pair<const char*, const char*> kIds[] = {
      {"bos_token", "tokenizer.ggml.bos_token_id"},     {"eos_token", "tokenizer.ggml.eos_token_id"},
      {"unk_token", "tokenizer.ggml.unknown_token_id"}, {"sep_token", "tokenizer.ggml.seperator_token_id"},
      {"pad_token", "tokenizer.ggml.padding_token_id"}, {"mask_token", "tokenizer.ggml.mask_token_id"}};
  for (const auto& [name, key] : kIds) {
    const MetaValue* id = source.find_metadata(key);
    const auto* at = id != nullptr ? std::get_if<int64_t>(id) : nullptr;
    if (tokens == nullptr || at == nullptr || *at < 0 || static_cast<size_t>(*at) >= tokens->size()) continue;
    found.special_tokens[name] = (*tokens)[static_cast<size_t>(*at)];
  }
  return found;
}

json::object read_object(const Source& source, std::string_view file) {
  json::error_code failed;
  json::value value = json::parse(source.file(file), failed);
  return !failed && value.is_object() ? std::move(value.get_object()) : json::object();
}

void add_templates(Found& found, const json::value* value, const char* file) {
  if (value == nullptr || value->is_null()) return;
  const auto add = [&](std::string_view name, std::string_view text) {
    found.templates[std::string(name)] = {std::string(text), file};
  };
  if (value->is_string()) {
    add("default", value->get_string());
  } else if (value->is_array()) {
    for (const json::value& item : value->get_array()) {
      const json::object* o = item.if_object();
      const json::value* name = o != nullptr ? o->if_contains("name") : nullptr;
      const json::value* text = o != nullptr ? o->if_contains("template") : nullptr;
      if (name == nullptr || text == nullptr || !name->is_string() || !text->is_string()) continue;
      add(name->get_string(), text->get_string());
    }
  } else if (value->is_object()) {
    for (const auto& [name, text] : value->get_object()) {
      if (text.is_string()) add(name, text.get_string());
    }
  } else {
    found.wrong_type = fmt::format("{}: chat_template", file);
  }
}

void add_special_tokens(Found& found, const json::object& config) {
  for (const char* name :
       {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
    const json::value* value = config.if_contains(name);
    if (value != nullptr && value->is_object()) value = value->get_object().if_contains("content");
    if (value != nullptr && value->is_string()) found.special_tokens[name] = *value;
  }
}

// The separate files win over tokenizer_config.json.
Found read_folder(const Source& source, std::string_view name) {
  Found found;
  add_special_tokens(found, read_object(source, "special_tokens_map.json"));
  const json::object config = read_object(source, "tokenizer_config.json");
  add_special_tokens(found, config);
  add_templates(found, config.if_contains("chat_template"), "tokenizer_config.json");
  const json::object file = read_object(source, "chat_template.json");
  add_templates(found, file.if_contains("chat_template"), "chat_template.json");
  if (const auto text = source.file("chat_template.jinja"); !text.empty())
    found.templates["default"] = {std::string(text), "chat_template.jinja"};
  const std::string more = "additional_chat_templates/" + std::string(name) + ".jinja";
  if (const auto text = source.file(more); !text.empty())
    found.templates[std::string(name)] = {std::string(text), more};
  return found;
}

}  // namespace

Result<ChatTemplate> ChatTemplate::from_source(const Source& source, std::string_view name) {
  Found found = source.kind() == SourceKind::kGguf ? read_gguf(source) : read_folder(source, name);
  const std::string path = source.paths().empty() ? "" : source.paths()[0];
  if (found.templates.empty() && !found.wrong_type.empty())
    return invalid("[chat] '{}' is not a text: convert or download the model again", found.wrong_type);
  if (found.templates.empty()) {
    return not_found("[chat] '{}' has no chat template; pass one as a file, or send the prompt as it is (--raw)", path);
  }
  const auto at = found.templates.find(name);
  if (at == found.templates.end()) {
    std::string names;
    for (const auto& [known, text] : found.templates) names += (names.empty() ? "" : ", ") + known;
    return not_found("[chat] '{}' has no chat template named '{}'; it has: {}", path, name, names);
  }
  auto chat = parse(at->second.text, std::move(found.special_tokens));
  if (!chat) return std::unexpected(about_file(chat.error(), at->second.origin));
  return chat;
}

}  // namespace ingot
