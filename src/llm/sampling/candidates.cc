// Selection without sorting the vocabulary. See candidates.h.
#include "llm/sampling/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "llm/sampling/dense_math.h"

namespace ingot::llm {
namespace {

constexpr float kMax = std::numeric_limits<float>::max();
constexpr float kLowest = -std::numeric_limits<float>::infinity();
constexpr size_t kFirstGuess = 128;  // most nuclei are smaller than this
constexpr size_t kGrowth = 8;

}  // namespace

void Candidates::reset(std::span<const float> logits) {
  row_ = logits;
  list_.clear();
  is_row_ = true;
  is_edited_ = false;
  sorted_ = false;
}

std::span<float> Candidates::edit_row() {
  if (!is_edited_) {
    edited_.assign(row_.begin(), row_.end());
    row_ = edited_;
    is_edited_ = true;
  }
  return edited_;
}

void Candidates::make_list() {
  list_.clear();
  for_each_above(row_, &kLowest, [this](Token id, float x) { list_.push_back({std::min(x, kMax), 0, id}); });
  is_row_ = false;
  sorted_ = false;
}

std::vector<Candidate>& Candidates::list() {
  if (is_row_) make_list();
  return list_;
}

// One pass: what passes the threshold is collected; a full buffer is cut to its k best, and the
// k-th becomes the threshold. Ids rise, so of equal logits the earlier one stays: as `likelier` says.
void Candidates::select_from_row(size_t k) {
  const size_t capacity = 2 * k + 64;
  list_.clear();
  list_.reserve(capacity);
  float threshold = kLowest;
  const auto cut = [&] {
    std::nth_element(list_.begin(), list_.begin() + (k - 1), list_.end(), likelier);
    list_.resize(k);
    threshold = list_.back().logit;
  };
  for_each_above(row_, &threshold, [&](Token id, float x) {
    list_.push_back({std::min(x, kMax), 0, id});
    if (list_.size() == capacity) cut();
  });
  if (list_.size() > k) cut();
  std::sort(list_.begin(), list_.end(), likelier);
  is_row_ = false;
  sorted_ = true;
}

void Candidates::keep_top(size_t k) {
  if (k == 0) k = 1;
  if (is_row_ && k <= row_.size() / 4) return select_from_row(k);
  std::vector<Candidate>& all = list();
  if (k < all.size()) {
    if (!sorted_) std::nth_element(all.begin(), all.begin() + k, all.end(), likelier);
    all.resize(k);
  }
  sort();
}

void Candidates::sort() {
  std::vector<Candidate>& all = list();
  if (!sorted_) std::sort(all.begin(), all.end(), likelier);
  sorted_ = true;
}

std::vector<Candidate>& Candidates::only(Token token) {
  list_.clear();
  if (token >= 0) list_.push_back({std::min(row_[static_cast<size_t>(token)], kMax), 0, token});
  is_row_ = false;
  sorted_ = true;
  return list_;
}

void Candidates::keep_from(float threshold, size_t min_keep) {
  if (is_row_) {
    const float below = std::nextafter(std::min(threshold, kMax), kLowest);
    size_t count = 0;
    for_each_above(row_, &below, [&](Token, float) { ++count; });
    if (count < min_keep) return keep_top(min_keep);
    list_.clear();
    for_each_above(row_, &below, [this](Token id, float x) { list_.push_back({std::min(x, kMax), 0, id}); });
    is_row_ = false;
    return;
  }
  const auto passes = [&](const Candidate& c) { return c.logit >= threshold; };
  const auto count = static_cast<size_t>(std::count_if(list_.begin(), list_.end(), passes));
  if (count < min_keep) return keep_top(min_keep);
  std::erase_if(list_, [&](const Candidate& c) { return !passes(c); });
}

// The first sorted_count of the list are its likeliest, in order. True if they reach the mass.
bool Candidates::cut_at_mass(size_t sorted_count, double p, size_t min_keep, float max, double sum) {
  double mass = 0;
  for (size_t i = 0; i < sorted_count; ++i) {
    mass += exp_negative(list_[i].logit - max) / sum;
    if (mass >= p && i + 1 >= min_keep) {
      list_.resize(i + 1);
      sorted_ = true;
      return true;
    }
  }
  return false;
}

bool Candidates::keep_mass_of_row(double p, size_t min_keep) {
  const float max = max_logit();
  const double sum = sum_exp(row_, max);
  for (size_t k = kFirstGuess; k <= row_.size() / 16; k *= kGrowth) {
    select_from_row(k);
    if (cut_at_mass(k < list_.size() ? k : list_.size(), p, min_keep, max, sum)) return true;
    is_row_ = true;
  }
  return false;
}

void Candidates::keep_mass(double p, size_t min_keep) {
  if (is_row_ && keep_mass_of_row(p, min_keep)) return;
  std::vector<Candidate>& all = list();
  if (all.empty()) return;
  const float max = max_logit();
  double sum = 0;
  for (const Candidate& c : all) sum += exp_negative(c.logit - max);
  for (size_t k = kFirstGuess; !sorted_ && k < all.size() / 2; k *= kGrowth) {
    std::nth_element(all.begin(), all.begin() + k, all.end(), likelier);
    std::sort(all.begin(), all.begin() + k, likelier);
    if (cut_at_mass(k, p, min_keep, max, sum)) return;
  }
  sort();
  cut_at_mass(all.size(), p, min_keep, max, sum);
}

float Candidates::max_logit() {
  if (is_row_) {
    const int64_t best = argmax(row_);
    return best < 0 ? kLowest : std::min(row_[best], kMax);
  }
  if (sorted_) return list_.empty() ? kLowest : list_.front().logit;
  float max = kLowest;
  for (const Candidate& c : list_) max = std::max(max, c.logit);
  return max;
}

void Candidates::softmax() {
  std::vector<Candidate>& all = list();
  const float max = max_logit();
  double sum = 0;
  for (Candidate& c : all) {
    c.p = exp_negative(c.logit - max);
    sum += c.p;
  }
  const double scale = 1 / sum;
  for (Candidate& c : all) c.p = static_cast<float>(c.p * scale);
}

}  // namespace ingot::llm
