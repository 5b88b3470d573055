// How far the stages of a tokenizer file may let a text grow. A limit is generous to real tokenizers and still bounds
// the memory that a hostile file can claim; those of the input are in base/limits.h.
#pragma once

#include <cstddef>

namespace ingot::limits {

inline constexpr size_t kStageTextBytesMax = 1u << 30;    // what one stage may make of a text
inline constexpr size_t kAddedTokenBytesMax = 64u << 20;  // all added tokens, normalized
inline constexpr double kDecoderGrowthMax = 1024;         // bytes that a decoder may make of one

}  // namespace ingot::limits
