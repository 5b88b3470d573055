// Grammars for requests: compiled once, kept for the next request that asks for the same, handed out as token masks.
//
// Ownership: shares the tokenizer; masks share the compiled grammar. Thread-safety: any thread; compiling, and
// making the masks of the places that come first, happens on the caller's. Limits: base/limits.h (grammars),
// kGrammarsKept grammars and kBytesMax of them are remembered.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "llm/token_mask.h"
#include "text/grammar/compose.h"
#include "text/grammar/token_grammar.h"

namespace ingot::llm {

struct GrammarSpec {
  enum class Kind : uint8_t { kJsonSchema, kJsonObject, kRegex, kChoice, kGbnf, kBuilt };
  Kind kind = Kind::kJsonSchema;
  std::string text;                  // the schema, pattern or GBNF; kBuilt: all that `build` depends on
  std::vector<std::string> choices;  // kChoice
  std::function<Result<grammar::Expr>(grammar::Rules&)> build{};  // kBuilt
  grammar::Lead lead{};                                           // free text that comes before

  bool operator==(const GrammarSpec& o) const {
    return kind == o.kind && text == o.text && choices == o.choices && lead == o.lead;
  }
};

using MaskFactory = std::function<std::unique_ptr<TokenMask>()>;

class GrammarCache {
 public:
  static constexpr size_t kGrammarsKept = 32;
  static constexpr size_t kBytesMax = size_t{256} << 20;  // of those kept, when one is added; beyond it the oldest go

  // vocab: the logits' width V.
  GrammarCache(std::shared_ptr<const Tokenizer> tokenizer, int64_t vocab)
      : tokenizer_(std::move(tokenizer)), vocab_(vocab) {}

  // For Request::make_mask. Errors: those of text/grammar/grammar.h, naming what is not supported.
  Result<MaskFactory> get(const GrammarSpec& spec);

 private:
  struct Entry {
    GrammarSpec spec;
    std::shared_ptr<grammar::TokenGrammar> grammar;
  };
  std::shared_ptr<const grammar::TokenTrie> trie();

  std::shared_ptr<const Tokenizer> tokenizer_;
  int64_t vocab_;
  std::mutex mutex_;
  std::shared_ptr<const grammar::TokenTrie> trie_;  // made when first needed
  std::list<Entry> entries_;                        // the latest first
};

}  // namespace ingot::llm
