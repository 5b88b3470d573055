// Lays blocks with lifetimes out in one arena: blocks that live at the same time never overlap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ingot {

struct ArenaBlock {
  size_t bytes;
  int first, last;  // steps, inclusive
  int64_t offset;   // result, 64-byte aligned
};

// Greedy by size: the largest block first, each at the lowest gap among those alive with it. Returns the bytes
// of the whole arena. Cost: O(n^2) in the number of blocks. (Pisarchyk & Lee, "Efficient Memory Management for
// Deep Neural Net Inference", 2020, algorithm "greedy by size for offset calculation".)
size_t lay_out_arena(std::vector<ArenaBlock>& blocks);

}  // namespace ingot
