// grammar_check: one JSON object a line in, one a line out; how the Python oracles talk to the JSON Schema grammars.
//   {"schema": "...", "texts": ["..."], "walks": 3, "seed": 1}
//     -> {"takes": [true], "outputs": ["..."]}   outputs: texts that the grammar takes, found by walking it at random
//     -> {"error": "...", "code": "UNIMPLEMENTED"}
#include <boost/json.hpp>
#include <iostream>
#include <random>
#include <string>

#include "text/grammar/grammar.h"
#include "text/grammar/pushdown.h"
#include "text/unicode/unicode.h"

namespace {

using ingot::grammar::Pushdown;

constexpr size_t kOutputBytesMax = 600;

bool takes(Pushdown& walk, std::string_view text) {
  int32_t set = walk.start();
  for (char c : text)
    if (set >= 0) set = walk.step(set, static_cast<uint8_t>(c));
  return set >= 0 && walk.accepts(set);
}

// Nothing if the walk did not end within the limit. Past half of it, what closes is preferred.
std::string random_text(Pushdown& walk, std::mt19937& random) {
  std::string text;
  const size_t patience = random() % kOutputBytesMax;
  for (int32_t set = walk.start(); text.size() < kOutputBytesMax;) {
    std::string possible, closing;
    for (int b = 0; b < 256; ++b) {
      if (walk.step(set, static_cast<uint8_t>(b)) < 0) continue;
      possible.append(b < 0x80 ? 3 : 1, static_cast<char>(b));
      if (b == '"' || b == '}' || b == ']') closing.append(b == '"' ? 3 : 1, static_cast<char>(b));
    }
    const bool hurry = text.size() > patience || random() % 4 == 0;
    if (walk.accepts(set) && (possible.empty() || hurry)) return text;
    if (possible.empty()) break;
    const std::string& from = hurry && !closing.empty() ? closing : possible;
    text += from[random() % from.size()];
    set = walk.step(set, static_cast<uint8_t>(text.back()));
  }
  return {};
}

boost::json::object answer(const boost::json::object& request) {
  const auto compiled = ingot::grammar::from_json_schema(std::string_view(request.at("schema").as_string()));
  boost::json::object out;
  const auto fail = [&](std::string_view code, const std::string& message) {
    out["code"] = std::string(code);
    out["error"] = message;
    return out;
  };
  if (!compiled) return fail(ingot::code_name(compiled.error().code()), compiled.error().message());
  Pushdown walk(*compiled);
  boost::json::array taken, outputs;
  for (const auto& text : request.at("texts").as_array())
    taken.push_back(takes(walk, std::string_view(text.as_string())));
  std::mt19937 random(request.at("seed").to_number<uint32_t>());
  for (int64_t i = 0; i < request.at("walks").as_int64(); ++i)
    if (std::string text = random_text(walk, random); !text.empty()) {
      if (!ingot::tokenizer::is_valid_utf8(text)) return fail("INTERNAL", "a text is not UTF-8");
      outputs.emplace_back(text);
    }
  out["takes"] = taken;
  out["outputs"] = outputs;
  return out;
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  std::string line;
  while (std::getline(std::cin, line))
    std::cout << boost::json::serialize(answer(boost::json::parse(line).as_object())) << '\n' << std::flush;
  return 0;
}
