// Text for people: aligned tables and numbers with units. Used by every command that prints a table.
// Thread-safety: pure functions; a Table belongs to one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ingot::cli {

// Columns are as wide as their widest cell, two spaces apart; a title that starts with '>' aligns right.
class Table {
 public:
  // No titles, no title line: Table({"", ">"}).
  explicit Table(std::vector<std::string> titles);
  void add(std::vector<std::string> cells);
  std::string text(std::string_view indent = "") const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

std::string human_bytes(uint64_t bytes);  // "241.4 MiB"
std::string human_count(uint64_t count);  // "268.1 M"
std::string with_commas(uint64_t count);  // "268,098,176"

}  // namespace ingot::cli
