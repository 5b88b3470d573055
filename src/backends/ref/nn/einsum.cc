// Einsum by definition: for every index of all letters, the product of the operands is added to the result.
#include <algorithm>
#include <map>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

// A term as letters; "..." becomes digits for `rank`, right-aligned ('9' is the innermost).
std::string expand_term(std::string_view term, int rank) {
  std::string letters;
  for (char ch : term)
    if (ch != ' ') letters += ch;
  const size_t dots = letters.find("...");
  if (dots == letters.npos) return letters;
  const int extra = rank - static_cast<int>(letters.size()) + 3;
  std::string digits;
  for (int i = 0; i < extra; ++i) digits += static_cast<char>('9' - (extra - 1 - i));
  return letters.replace(dots, 3, digits);
}

struct Equation {
  std::vector<std::string> terms;
  std::string result;
  std::map<char, int64_t> sizes;
};

// Inference has checked the equation against the operands.
Equation parse(const KernelContext& c) {
  Equation e;
  const std::string text = c.node.attributes.get_string("equation");
  const size_t arrow = text.find("->");
  std::string_view left = std::string_view(text).substr(0, arrow);
  for (const TensorView& x : c.inputs) {
    const size_t comma = std::min(left.find(','), left.size());
    e.terms.push_back(expand_term(left.substr(0, comma), x.shape.rank()));
    left.remove_prefix(std::min(comma + 1, left.size()));
    for (int d = 0; d < x.shape.rank(); ++d) {
      int64_t& size = e.sizes.emplace(e.terms.back()[static_cast<size_t>(d)], 1).first->second;
      if (size == 1) size = x.shape[d];
    }
  }
  if (arrow != text.npos) {
    e.result = expand_term(std::string_view(text).substr(arrow + 2), c.out(0).shape.rank());
    return e;
  }
  std::string all;
  for (const auto& t : e.terms) all += t;
  for (const auto& [letter, size] : e.sizes)
    if (letter <= '9' || std::count(all.begin(), all.end(), letter) == 1) e.result += letter;
  return e;
}

}  // namespace

void ref_Einsum(KernelContext& c) {
  const Equation e = parse(c);
  const size_t n = e.terms.size();
  std::string letters;
  std::vector<int64_t> sizes;
  int64_t total = 1;
  for (const auto& [letter, size] : e.sizes) {
    letters += letter;
    sizes.push_back(size);
    total *= size;
  }
  // strides[k][letter]: how operand k (or the result, k = n) moves with the letter.
  std::vector<std::vector<int64_t>> strides(n + 1, std::vector<int64_t>(letters.size(), 0));
  for (size_t k = 0; k <= n; ++k) {
    const Shape& shape = k < n ? c.inputs[k].shape : c.out(0).shape;
    const std::string& term = k < n ? e.terms[k] : e.result;
    const auto own = strides_of(shape);
    for (size_t d = 0; d < term.size(); ++d)
      if (shape[static_cast<int>(d)] != 1) strides[k][letters.find(term[d])] += own[d];
  }
  dispatch_number(c, c.in(0).dtype, [&]<class T>() {
    std::vector<Sum<T>> acc(static_cast<size_t>(c.out(0).num_elements()), Sum<T>(0));
    std::vector<int64_t> at(n + 1);
    for (int64_t i = 0; i < total; ++i) {
      std::fill(at.begin(), at.end(), 0);
      int64_t rest = i;
      for (size_t l = letters.size(); l-- > 0; rest /= sizes[l])
        for (size_t k = 0; k <= n; ++k) at[k] += rest % sizes[l] * strides[k][l];
      Sum<T> product = 1;
      for (size_t k = 0; k < n; ++k) product *= static_cast<Sum<T>>(c.inputs[k].as<T>()[at[k]]);
      acc[static_cast<size_t>(at[n])] += product;
    }
    for (size_t i = 0; i < acc.size(); ++i) c.out(0).as<T>()[i] = static_cast<T>(acc[i]);
  });
}

}  // namespace ingot
