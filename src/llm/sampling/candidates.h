// The tokens that may still be chosen in one step: first a whole row of logits, then a short list.
//
// Steps work on the row as long as they can; the first one that truncates makes the list. The order
// of the list never depends on the standard library: it is either sorted by `likelier` (a total
// order) or by rising token id, so sums and draws over it are the same everywhere.
// Ownership: reads the caller's row, copies it when a step edits it. Buffers are reused: no
// allocation once they have grown. Not thread-safe; one per Sampler.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "llm/sampling/sampler_params.h"

namespace ingot::llm {

struct Candidate {
  float logit;
  float p;  // set by softmax()
  Token id;
};

inline bool likelier(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

class Candidates {
 public:
  // logits: [V], must outlive the step. Tokens at -infinity or NaN are no candidates.
  void reset(std::span<const float> logits);

  bool is_row() const { return is_row_; }
  std::span<const float> row() const { return row_; }
  std::span<float> edit_row();  // a private copy, made at the first call

  // The list; made from the row at the first call. May be empty.
  std::vector<Candidate>& list();
  std::span<const Candidate> view() const { return list_; }

  bool sorted() const { return sorted_; }
  void set_sorted(bool sorted) { sorted_ = sorted; }

  // Keeps the k likeliest, sorted.
  void keep_top(size_t k);
  // Keeps those at or above the threshold, but at least min_keep.
  void keep_from(float threshold, size_t min_keep);
  // The smallest set of the likeliest whose probability reaches p, but at least min_keep. Sorted.
  void keep_mass(double p, size_t min_keep);
  void sort();
  // Keeps one token of the row, or none if it is negative.
  std::vector<Candidate>& only(Token token);

  float max_logit();
  // Sets p of each in the list; they sum to 1.
  void softmax();

 private:
  void make_list();
  void select_from_row(size_t k);
  bool keep_mass_of_row(double p, size_t min_keep);
  bool cut_at_mass(size_t sorted_count, double p, size_t min_keep, float max, double sum);

  std::span<const float> row_;
  std::vector<float> edited_;
  std::vector<Candidate> list_;
  bool is_row_ = true;
  bool is_edited_ = false;
  bool sorted_ = false;
};

}  // namespace ingot::llm
