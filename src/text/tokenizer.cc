#include "text/tokenizer.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/limits.h"
#include "base/mapped_file.h"
#include "formats/source.h"
#include "text/tokenizer/parts.h"
#include "text/unicode/unicode.h"

namespace ingot {

using tokenizer::Parts;
using tokenizer::Segment;

Tokenizer::Tokenizer(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
Tokenizer::~Tokenizer() = default;

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_json(std::string_view tokenizer_json,
                                                              std::string_view tokenizer_config_json) {
  return std::make_shared<Tokenizer>(INGOT_TRY(tokenizer::parts_from_json(tokenizer_json, tokenizer_config_json)));
}

namespace {

// eos_token_id of generation_config.json: one id or several.
Result<void> add_generation_ends(const Source& source, int size, std::vector<int>& ends) {
  constexpr std::string_view kKey = "generation_config.eos_token_id";
  const MetaValue* value = source.find_metadata(kKey);
  if (value == nullptr) return {};
  std::vector<int64_t> ids;
  if (const auto* one = std::get_if<int64_t>(value)) ids = {*one};
  if (const auto* many = std::get_if<std::vector<int64_t>>(value)) ids = *many;
  for (const int64_t id : ids) {
    if (id < 0 || id >= size)
      return invalid("[tokenizer] '{}': {} is not in the vocabulary of {} tokens", kKey, id, size);
    ends.push_back(static_cast<int>(id));
  }
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  return {};
}

std::string_view as_text(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

bool is_file(const std::string& path) {
  struct stat s;
  return stat(path.c_str(), &s) == 0 && S_ISREG(s.st_mode);
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_source(const Source& source) {
  if (source.kind() == SourceKind::kGguf)
    return std::make_shared<Tokenizer>(INGOT_TRY(tokenizer::parts_from_gguf(source)));
  if (source.file("tokenizer.json").empty())
    return not_found(
        "[tokenizer] '{}': no tokenizer.json; export one with transformers: AutoTokenizer.from_pretrained(...)"
        ".save_pretrained(...)",
        source.paths().empty() ? std::string("the folder") : source.paths().front());
  auto parts =
      INGOT_TRY(tokenizer::parts_from_json(source.file("tokenizer.json"), source.file("tokenizer_config.json")));
  INGOT_TRY(add_generation_ends(source, parts->size, parts->special.end_of_generation));
  return std::make_shared<Tokenizer>(std::move(parts));
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_path(const std::string& path) {
  if (path.ends_with(".json")) return from_json(as_text(*INGOT_TRY(MappedFile::open(path))));
  const std::string inside = path + "/tokenizer.json";
  if (is_file(inside) && !is_file(path + "/config.json")) {
    const auto json = INGOT_TRY(MappedFile::open(inside));
    if (!is_file(path + "/tokenizer_config.json")) return from_json(as_text(*json));
    const auto config = INGOT_TRY(MappedFile::open(path + "/tokenizer_config.json"));
    return from_json(as_text(*json), as_text(*config));
  }
  return from_source(*INGOT_TRY(open_source(path)));
}

namespace {

Result<void> encode_words(const Parts& parts, Segment& segment, std::vector<int32_t>& out) {
  for (const auto& p : parts.pre_tokenizers) {
    INGOT_TRY(p->apply(segment));
    INGOT_TRY(tokenizer::check_stage("a pre_tokenizer", segment.text.size()));
  }
  const std::string_view text = segment.text;
  for (const auto& w : segment.words) INGOT_TRY(parts.model->encode(text.substr(w.begin, w.end - w.begin), out));
  return {};
}

// The normalizers leave nothing of the first code point: what follows does not begin the input any more.
Result<bool> loses_first(const Parts& parts, std::string_view text) {
  if (text.empty()) return false;
  std::string first(text.substr(0, static_cast<size_t>(tokenizer::utf8_length(static_cast<unsigned char>(text[0])))));
  INGOT_TRY(parts.normalize(first));
  return first.empty();
}

// Text between added tokens; at_start: it begins the input.
Result<void> encode_segment(const Parts& parts, std::string text, bool at_start, bool parse_special,
                            std::vector<int32_t>& out) {
  if (at_start && !parts.normalizers.empty()) at_start = !INGOT_TRY(loses_first(parts, text));
  INGOT_TRY(parts.normalize(text));
  if (text.empty()) return {};
  Segment segment;
  if (parts.normalized_tokens.empty()) {
    segment.words.push_back({0, static_cast<uint32_t>(text.size()), at_start});
    segment.text = std::move(text);
    return encode_words(parts, segment, out);
  }
  std::vector<tokenizer::AddedTokens::Part> found;
  parts.normalized_tokens.find(text, parse_special, found);
  for (const auto& f : found) {
    if (f.id >= 0) {
      out.push_back(f.id);
      continue;
    }
    segment.text = text.substr(f.begin, f.end - f.begin);
    segment.words.assign(1, {0, f.end - f.begin, at_start && f.begin == 0});
    INGOT_TRY(encode_words(parts, segment, out));
  }
  return {};
}

}  // namespace

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, bool add_special, bool parse_special) const {
  if (text.size() > limits::kPromptBytesMax)
    return invalid("[tokenizer] a text of {} bytes is longer than {}; split it", text.size(), limits::kPromptBytesMax);
  std::string fixed;
  if (!tokenizer::is_valid_utf8(text)) {
    fixed = tokenizer::replace_invalid_utf8(text);
    text = fixed;
  }
  std::vector<int32_t> out;
  out.reserve(text.size() / 3 + 8);
  if (add_special) out = parts_->before;
  if (parts_->raw_tokens.empty()) {
    if (!text.empty()) INGOT_TRY(encode_segment(*parts_, std::string(text), true, parse_special, out));
  } else {
    std::vector<tokenizer::AddedTokens::Part> found;
    parts_->raw_tokens.find(text, parse_special, found);
    for (const auto& f : found) {
      if (f.id >= 0) {
        out.push_back(f.id);
      } else {
        INGOT_TRY(encode_segment(*parts_, std::string(text.substr(f.begin, f.end - f.begin)), f.begin == 0,
                                 parse_special, out));
      }
    }
  }
  if (add_special) out.insert(out.end(), parts_->after.begin(), parts_->after.end());
  return out;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  const Parts& p = *parts_;
  std::vector<std::string> pieces;
  std::string bytes;
  for (const int32_t id : ids) {
    if (id < 0 || id >= p.size || (skip_special && p.skipped(id))) continue;
    if (p.by_bytes) {
      bytes += p.bytes(id);
    } else if (p.added_index[static_cast<size_t>(id)] >= 0 || p.vocab->has(id)) {
      pieces.emplace_back(p.piece(id));
    }
  }
  if (p.by_bytes) {
    if (p.front == tokenizer::FrontRule::kStripSpace && bytes.starts_with(' ')) bytes.erase(0, 1);
    return tokenizer::is_valid_utf8(bytes) ? bytes : tokenizer::replace_invalid_utf8(bytes);
  }
  for (const auto& d : p.decoders) d->apply(pieces);
  std::string out;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (p.joined_by_space && i > 0) out.push_back(' ');
    out += pieces[i];
  }
  return out;
}

int Tokenizer::vocab_size() const { return parts_->size; }

std::string_view Tokenizer::token_text(int id) const {
  if (id < 0 || id >= parts_->size) return {};
  const int32_t index = parts_->added_index[static_cast<size_t>(id)];
  return index >= 0 ? std::string_view(parts_->added[static_cast<size_t>(index)].content) : parts_->vocab->piece(id);
}

std::string Tokenizer::token_bytes(int id) const { return parts_->bytes(id); }

std::optional<int> Tokenizer::token_id(std::string_view piece) const {
  if (const auto it = parts_->added_ids.find(std::string(piece)); it != parts_->added_ids.end()) return it->second;
  const int id = parts_->vocab->find(piece);
  return id >= 0 ? std::optional<int>(id) : std::nullopt;
}

bool Tokenizer::is_special(int id) const {
  const int32_t index = id >= 0 && id < parts_->size ? parts_->added_index[static_cast<size_t>(id)] : -1;
  return index >= 0 && parts_->added[static_cast<size_t>(index)].special;
}

const SpecialTokens& Tokenizer::special() const { return parts_->special; }

bool Tokenizer::is_end_of_generation(int id) const {
  const auto& ends = parts_->special.end_of_generation;
  return std::binary_search(ends.begin(), ends.end(), id);
}

}  // namespace ingot
