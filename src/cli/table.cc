#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace ingot::cli {
namespace {

// Code points; cells hold no wide or combining characters where it matters.
size_t width(std::string_view s) {
  return static_cast<size_t>(std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string scaled(uint64_t n, double base, std::initializer_list<std::string_view> units) {
  double value = static_cast<double>(n);
  auto unit = units.begin();
  while (value >= base && unit + 1 != units.end()) {
    value /= base;
    ++unit;
  }
  if (unit == units.begin()) return unit->empty() ? fmt::format("{}", n) : fmt::format("{} {}", n, *unit);
  return fmt::format("{:.1f} {}", value, *unit);
}

}  // namespace

Table::Table(std::vector<std::string> titles) {
  bool any = false;
  for (std::string& t : titles) {
    right_.push_back(t.starts_with(">"));
    if (right_.back()) t.erase(0, 1);
    any |= !t.empty();
  }
  if (any) rows_.push_back(std::move(titles));
}

void Table::add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

std::string Table::text(std::string_view indent) const {
  std::vector<size_t> widths(right_.size());
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  std::string out;
  for (const auto& row : rows_) {
    std::string line(indent);
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - width(row[i]), ' ');
      if (i) line += "  ";
      if (right_[i]) line += pad;
      line += row[i];
      if (!right_[i]) line += pad;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string human_bytes(uint64_t bytes) { return scaled(bytes, 1024, {"B", "KiB", "MiB", "GiB", "TiB", "PiB"}); }
std::string human_count(uint64_t count) { return scaled(count, 1000, {"", "K", "M", "B", "T"}); }

std::string with_commas(uint64_t count) {
  const std::string digits = std::to_string(count);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

}  // namespace ingot::cli
