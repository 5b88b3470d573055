// See reference.h.
#include "hub/reference.h"

#include <algorithm>

namespace ingot::hub {
namespace {

constexpr size_t kNameBytesMax = 256;
constexpr size_t kPathBytesMax = 1024;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool is_name(std::string_view s) {
  return !s.empty() && s.size() <= kNameBytesMax && std::ranges::all_of(s, is_name_char) && s.front() != '.' &&
         s.front() != '-' && s.find("..") == s.npos;
}

// Names with '/' between them.
bool is_name_path(std::string_view s, size_t parts_max) {
  size_t parts = 0;
  for (;;) {
    const size_t slash = s.find('/');
    if (++parts > parts_max || !is_name(s.substr(0, slash))) return false;
    if (slash == s.npos) return true;
    s.remove_prefix(slash + 1);
  }
}

Result<ModelRef> parse_hub(std::string_view text) {
  constexpr std::string_view kForm = "write hf:org/repo, hf:org/repo:Q4_K_M or hf:org/repo@revision";
  ModelRef ref{ModelRef::Kind::kHub, std::string(text), "", "", "main"};
  std::string_view rest = text.substr(3);
  if (const size_t at = rest.find('@'); at != rest.npos) {
    ref.revision = rest.substr(at + 1);
    rest = rest.substr(0, at);
    if (!is_name_path(ref.revision, 8)) {
      return invalid("[hub] '{}': '{}' is no revision; {}", text, ref.revision, kForm);
    }
  }
  if (const size_t colon = rest.find(':'); colon != rest.npos) {
    ref.quant = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    if (!is_name(ref.quant)) {
      return invalid("[hub] '{}': '{}' is no quantization; {}", text, ref.quant, kForm);
    }
  }
  ref.repo = rest;
  if (!is_name_path(ref.repo, 2)) {
    return invalid("[hub] '{}': '{}' is no repository; {}", text, ref.repo, kForm);
  }
  return ref;
}

Result<ModelRef> parse_url(std::string_view text) {
  const std::string_view host = text.substr(text.find("://") + 3);
  const bool clean = std::ranges::all_of(text, [](unsigned char c) { return c > ' ' && c != 127; });
  if (!clean || host.empty() || host.front() == '/' || host.find('/') == host.npos || text.size() > 4096) {
    return invalid("[hub] '{}': this is no address of a file; write https://host/path/model.gguf", text.substr(0, 200));
  }
  if (host.substr(0, host.find('/')).find('@') != host.npos) {
    return invalid("[hub] an address with a password in it is refused; use a token instead");
  }
  return ModelRef{ModelRef::Kind::kUrl, std::string(text), "", "", ""};
}

}  // namespace

Result<ModelRef> parse_reference(std::string_view text) {
  if (text.empty()) {
    return invalid("[hub] the model is missing; give a path, hf:org/repo[:quant] or https://…");
  }
  if (text.starts_with("hf:")) return parse_hub(text);
  if (text.starts_with("https://") || text.starts_with("http://")) return parse_url(text);
  return ModelRef{ModelRef::Kind::kPath, std::string(text), "", "", ""};
}

bool is_safe_file_name(std::string_view name) {
  if (name.empty() || name.size() > kPathBytesMax || name.ends_with(".part")) return false;
  for (const unsigned char c : name) {
    if (c < ' ' || c == 127 || c == '\\' || c == ':') return false;
  }
  for (;;) {
    const size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    if (part.empty() || part == "." || part == ".." || part.size() > 255 || part.starts_with(".ingot")) {
      return false;
    }
    if (slash == name.npos) return true;
    name.remove_prefix(slash + 1);
  }
}

}  // namespace ingot::hub
