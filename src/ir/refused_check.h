// For tests of inference: graphs in text form that are refused once one part of them is changed.
#pragma once

#include <gtest/gtest.h>

#include "ir/infer.h"

namespace ingot {

// What parse and verify say against a graph of these lines; "" if nothing.
inline std::string refusal(std::string_view lines) {
  const auto graph = parse_graph(fmt::format("graph \"g\" {{\n{}\n}}", lines));
  if (!graph) return graph.error().message();
  const auto ok = verify(*graph);
  return ok ? "" : ok.error().message();
}

// The text with one part of it replaced.
inline std::string with(std::string text, std::string_view part, std::string_view other) {
  const size_t at = text.find(part);
  EXPECT_NE(at, text.npos) << part;
  return text.replace(at, part.size(), other);
}

struct Change {
  std::string_view part, other;
};

// The text is accepted, and refused with any one of the changes.
inline void expect_refused(const std::string& text, std::initializer_list<Change> changes) {
  EXPECT_EQ(refusal(text), "");
  for (const Change& c : changes) EXPECT_NE(refusal(with(text, c.part, c.other)), "") << c.part << " -> " << c.other;
}

}  // namespace ingot
