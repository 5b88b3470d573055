#include "llm/grammar_mask.h"

#include <algorithm>

#include "text/grammar/grammar.h"

namespace ingot::llm {
namespace {

class GrammarMask : public TokenMask {
 public:
  explicit GrammarMask(std::shared_ptr<grammar::TokenGrammar> grammar) : matcher_(std::move(grammar)) {}
  std::span<const uint64_t> allowed() override { return matcher_.allowed(); }
  std::string_view why_none() const override { return matcher_.why_none(); }
  void accept(int32_t token) override { matcher_.accept(token); }

 private:
  grammar::TokenMatcher matcher_;
};

Result<grammar::Expr> read(const GrammarSpec& spec, grammar::Rules& rules) {
  switch (spec.kind) {
    case GrammarSpec::Kind::kJsonSchema: return grammar::add_json_schema_text(rules, spec.text);
    case GrammarSpec::Kind::kJsonObject: return grammar::add_json_object(rules);
    case GrammarSpec::Kind::kRegex: return grammar::regex_part(spec.text);
    case GrammarSpec::Kind::kChoice: return grammar::choice_part(spec.choices);
    case GrammarSpec::Kind::kGbnf: return grammar::add_gbnf(rules, spec.text);
    case GrammarSpec::Kind::kBuilt: return spec.build(rules);
  }
  return invalid("[grammar] unknown kind");
}

grammar::Compiled compile(const GrammarSpec& spec) {
  grammar::Rules rules;
  return rules.compile(after_lead(rules, spec.lead, INGOT_TRY(read(spec, rules))));
}

}  // namespace

std::shared_ptr<const grammar::TokenTrie> GrammarCache::trie() {
  std::lock_guard lock(mutex_);
  if (!trie_) trie_ = std::make_shared<const grammar::TokenTrie>(*tokenizer_, vocab_);
  return trie_;
}

Result<MaskFactory> GrammarCache::get(const GrammarSpec& spec) {
  const auto factory = [](std::shared_ptr<grammar::TokenGrammar> g) -> MaskFactory {
    return [g = std::move(g)] { return std::make_unique<GrammarMask>(g); };
  };
  {
    std::lock_guard lock(mutex_);
    const auto it = std::ranges::find(entries_, spec, &Entry::spec);
    if (it != entries_.end() && it->grammar->worn_out()) {
      entries_.erase(it);  // those who use it keep it; the next one starts afresh
    } else if (it != entries_.end()) {
      entries_.splice(entries_.begin(), entries_, it);
      return factory(it->grammar);
    }
  }
  auto grammar = std::make_shared<grammar::TokenGrammar>(INGOT_TRY(compile(spec)), trie());
  grammar->prepare();
  std::lock_guard lock(mutex_);
  entries_.push_front({spec, grammar});
  size_t bytes = 0, kept = 0;
  for (const Entry& e : entries_)
    if (bytes += e.grammar->bytes(); kept == 0 || (kept < kGrammarsKept && bytes <= kBytesMax)) ++kept;
  entries_.resize(kept);
  return factory(std::move(grammar));
}

}  // namespace ingot::llm
