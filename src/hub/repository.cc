// See repository.h.
#include "hub/repository.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <map>

#include "base/limits.h"

namespace ingot::hub {
namespace {

namespace json = boost::json;

std::string upper(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return out;
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_hex(std::string_view s, size_t digits) {
  return s.size() == digits && s.find_first_not_of("0123456789abcdefABCDEF") == s.npos;
}

std::string text_of(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : "";
}

int64_t bytes_of(const json::object& o) {
  const json::value* v = o.if_contains("size");
  return v != nullptr && v->is_int64() && v->get_int64() >= 0 ? v->get_int64() : -1;
}

Result<RemoteFile> parse_file(const json::value& value) {
  const json::object* o = value.if_object();
  if (o == nullptr) return invalid("[hub] the server's file list holds something that is no file");
  RemoteFile file{text_of(*o, "rfilename"), bytes_of(*o), "", ""};
  if (!is_safe_file_name(file.path)) {
    return invalid("[hub] the server names a file '{}' outside the model's folder: refused",
                   json::serialize(json::string(file.path.substr(0, 200))));
  }
  if (const std::string oid = text_of(*o, "blobId"); is_hex(oid, 40)) file.git_oid = oid;
  const json::value* lfs = o->if_contains("lfs");
  if (lfs != nullptr && lfs->is_object()) {
    const json::object& l = lfs->get_object();
    if (const std::string sum = text_of(l, "sha256"); is_hex(sum, 64)) {
      file.sha256 = sum;
      file.git_oid.clear();  // that of the pointer file, not of the content
    }
    if (const int64_t bytes = bytes_of(l); bytes >= 0) file.bytes = bytes;
  }
  return file;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return c >= 'A' && c <= 'Z'; }  // of upper-case text, as all that follows
bool is_alnum(char c) { return is_digit(c) || is_letter(c); }

// Q4_K_M, IQ2_XXS, Q8_0 and their kind, and the names of other tensor types.
bool is_quant(std::string_view word) {
  constexpr std::array kNames = {"BF16", "F16", "F32", "NVFP4", "MXFP4", "MXFP4_MOE", "TQ1_0", "TQ2_0"};
  if (std::ranges::find(kNames, word) != kNames.end()) return true;
  if (word.starts_with('I')) word.remove_prefix(1);
  if (word.size() < 4 || word[0] != 'Q' || word[1] < '1' || word[1] > '8' || word[2] != '_') return false;
  word.remove_prefix(3);
  for (size_t part = 0; !word.empty(); ++part) {  // "K", "M" of "K_M": digits in the first only
    const size_t end = std::min(word.find('_'), word.size());
    const std::string_view text = word.substr(0, end);
    if (text.empty() || !std::ranges::all_of(text, part == 0 ? is_alnum : is_letter)) return false;
    if (end + 1 == word.size()) return false;  // a '_' with nothing behind it
    word.remove_prefix(std::min(end + 1, word.size()));
  }
  return true;
}

// The parts of one GGUF model; one part if it is not split.
struct GgufModel {
  std::vector<const RemoteFile*> parts;
  size_t parts_expected = 1;
  std::string name;  // without "-00001-of-00002.gguf"
};

// N of a name that ends in "-00001-of-0000N"; 0 if it does not.
size_t parts_of_split(std::string_view stem) {
  constexpr std::string_view kForm = "-#####-of-#####";
  if (stem.size() < kForm.size()) return 0;
  const std::string end = upper(stem.substr(stem.size() - kForm.size()));
  const std::string form = upper(kForm);
  for (size_t i = 0; i < form.size(); ++i) {
    if (form[i] == '#' ? !is_digit(end[i]) : end[i] != form[i]) return 0;
  }
  return std::stoul(end.substr(form.size() - 5));
}

std::vector<GgufModel> gguf_models(const Repository& repository) {
  std::map<std::string, GgufModel> models;
  for (const RemoteFile& file : repository.files) {
    const std::string name = upper(base_name(file.path));
    if (!name.ends_with(".GGUF") || name.find("MMPROJ") != name.npos || name.find("IMATRIX") != name.npos) {
      continue;
    }
    const std::string stem = file.path.substr(0, file.path.size() - 5);
    const size_t parts = parts_of_split(stem);
    GgufModel& model = models[parts ? stem.substr(0, stem.size() - 15) + "/" + std::to_string(parts) : stem];
    model.name = parts ? stem.substr(0, stem.size() - 15) : stem;
    model.parts.push_back(&file);
    if (parts) model.parts_expected = parts;
  }
  std::vector<GgufModel> out;
  for (auto& [key, model] : models) {
    std::ranges::sort(model.parts, {}, &RemoteFile::path);
    out.push_back(std::move(model));
  }
  return out;
}

// True if the wanted quant stands in the name as a word of its own: Q4_K is not in Q4_K_M.
bool names_quant(std::string_view name, std::string_view quant) {
  const std::string text = upper(name), word = upper(quant);
  for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    const bool starts = at == 0 || !is_alnum(text[at - 1]);
    const bool ends = end == text.size() || (!is_alnum(text[end]) && text[end] != '_');
    if (starts && ends) return true;
  }
  return false;
}

constexpr std::array kPreferred = {"Q4_K_M", "Q4_K_S", "Q4_0", "IQ4_NL", "IQ4_XS", "MXFP4", "Q5_K_M",
                                   "Q5_K_S", "Q6_K",   "Q8_0", "Q3_K_M", "BF16",   "F16",   "F32"};

// Of several that match, the one with the shortest name: not "UD-Q4_K_M" for "Q4_K_M".
const GgufModel* find_quant(const std::vector<GgufModel>& models, std::string_view quant) {
  const GgufModel* best = nullptr;
  for (const GgufModel& m : models) {
    if (!names_quant(m.name, quant)) continue;
    if (best == nullptr || m.name.size() < best->name.size()) best = &m;
  }
  return best;
}

std::string available(const std::vector<GgufModel>& models) {
  std::vector<std::string> names;
  for (const GgufModel& m : models) {
    std::string quant = quant_of_name(m.name);
    names.push_back(quant.empty() ? std::string(base_name(m.name)) : std::move(quant));
  }
  std::ranges::sort(names);
  const auto same = std::ranges::unique(names);
  names.erase(same.begin(), same.end());
  std::string text;
  for (size_t i = 0; i < names.size() && i < 64; ++i) text += (i > 0 ? ", " : "") + names[i];
  return text;
}

Result<Selection> choose_gguf(const std::vector<GgufModel>& models, const ModelRef& ref) {
  const GgufModel* chosen = nullptr;
  if (!ref.quant.empty()) {
    chosen = find_quant(models, ref.quant);
    if (chosen == nullptr) {
      return not_found("[hub] '{}': no file of quantization '{}'; there are: {}", ref.text, ref.quant,
                       available(models));
    }
  }
  for (size_t i = 0; chosen == nullptr && i < kPreferred.size(); ++i) {
    chosen = find_quant(models, kPreferred[i]);
  }
  if (chosen == nullptr) chosen = &models.front();
  if (chosen->parts.size() != chosen->parts_expected) {
    return not_found("[hub] '{}': {} has {} of its {} parts; choose another of: {}", ref.text, chosen->name,
                     chosen->parts.size(), chosen->parts_expected, available(models));
  }
  Selection out{quant_of_name(chosen->name), chosen->parts.front()->path, {}};
  if (out.label.empty()) out.label = "GGUF";
  for (const RemoteFile* part : chosen->parts) out.files.push_back(*part);
  return out;
}

bool is_companion(std::string_view path) {
  constexpr std::array kNames = {"config.json",
                                 "generation_config.json",
                                 "tokenizer.json",
                                 "tokenizer_config.json",
                                 "tokenizer.model",
                                 "special_tokens_map.json",
                                 "vocab.json",
                                 "vocab.txt",
                                 "merges.txt",
                                 "added_tokens.json",
                                 "chat_template.jinja",
                                 "chat_template.json",
                                 "preprocessor_config.json",
                                 "model.safetensors.index.json"};
  return std::ranges::find(kNames, path) != kNames.end() ||
         (path.starts_with("additional_chat_templates/") && path.ends_with(".jinja"));
}

Selection choose_safetensors(const Repository& repository) {
  const auto is_weight = [](std::string_view path, std::string_view prefix) {
    return path.ends_with(".safetensors") && path.starts_with(prefix) && path.find('/') == path.npos;
  };
  const bool standard =
      std::ranges::any_of(repository.files, [&](const RemoteFile& f) { return is_weight(f.path, "model"); });
  Selection out{"safetensors", "", {}};
  for (const RemoteFile& f : repository.files) {
    if (is_weight(f.path, standard ? "model" : "") || is_companion(f.path)) out.files.push_back(f);
  }
  return out;
}

Selection choose_onnx(const Repository& repository) {
  Selection out{"onnx", "", {}};
  for (const char* folder : {"", "onnx/"}) {
    const std::string model = std::string(folder) + "model.onnx";
    for (const RemoteFile& f : repository.files) {
      if (f.path == model) out.entry = model;
      if (f.path == model || f.path.starts_with(model + "_data")) out.files.push_back(f);
    }
    if (!out.entry.empty()) break;
  }
  for (const RemoteFile& f : repository.files) {
    if (!out.entry.empty() && is_companion(f.path)) out.files.push_back(f);
  }
  return out;
}

}  // namespace

Result<Repository> parse_repository(std::string_view text) {
  if (text.size() > limits::kHubAnswerBytesMax) {
    return invalid("[hub] the server's answer has {} bytes; at most {} are read", text.size(),
                   limits::kHubAnswerBytesMax);
  }
  json::parse_options options;
  options.max_depth = 32;
  boost::system::error_code failed;
  const json::value value = json::parse(text, failed, {}, options);
  const json::object* o = failed ? nullptr : value.if_object();
  const json::value* siblings = o == nullptr ? nullptr : o->if_contains("siblings");
  if (siblings == nullptr || !siblings->is_array()) {
    return invalid("[hub] the server's answer is not the Hub's model description; check HF_ENDPOINT");
  }
  if (siblings->get_array().size() > limits::kHubFilesMax) {
    return invalid("[hub] the repository has {} files; at most {} are read", siblings->get_array().size(),
                   limits::kHubFilesMax);
  }
  Repository out{text_of(*o, "sha"), {}};
  if (!is_hex(out.commit, 40)) {
    return invalid("[hub] the server's model description names no commit; check HF_ENDPOINT");
  }
  for (const json::value& file : siblings->get_array()) {
    out.files.push_back(INGOT_TRY(parse_file(file)));
  }
  return out;
}

Result<Selection> choose_files(const Repository& repository, const ModelRef& ref) {
  const std::vector<GgufModel> models = gguf_models(repository);
  if (!models.empty()) return choose_gguf(models, ref);
  if (!ref.quant.empty()) {
    return not_found(
        "[hub] '{}': the repository has no GGUF file; leave ':{}' away, or name a "
        "repository with GGUF files",
        ref.text, ref.quant);
  }
  const auto has_weights = [](const Selection& s) {
    return std::ranges::any_of(
        s.files, [](const RemoteFile& f) { return f.path.ends_with(".safetensors") || f.path.ends_with(".onnx"); });
  };
  if (Selection s = choose_safetensors(repository); has_weights(s)) return s;
  if (Selection s = choose_onnx(repository); has_weights(s)) return s;
  return not_found("[hub] '{}': none of the repository's {} files is a GGUF, safetensors or ONNX model", ref.text,
                   repository.files.size());
}

std::string quant_of_name(std::string_view path) {
  const std::string name = upper(base_name(path));
  std::string last, previous;  // words: what '-', '.' and the like separate
  for (size_t at = 0; at < name.size();) {
    size_t end = at;
    while (end < name.size() && (is_alnum(name[end]) || name[end] == '_')) ++end;
    const std::string_view word = std::string_view(name).substr(at, end - at);
    for (size_t start = 0; start < word.size();) {  // the word itself, then what follows each '_'
      if (const std::string_view rest = word.substr(start); is_quant(rest)) {
        last = (start == 0 && previous == "UD" ? "UD-" : "") + std::string(rest);
        break;
      }
      const size_t underscore = word.find('_', start);
      start = underscore == word.npos ? word.size() : underscore + 1;
    }
    previous = word;
    at = end + 1;
  }
  return last;
}

}  // namespace ingot::hub
