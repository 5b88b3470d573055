// Everything a Tokenizer is made of; filled by from_json (hf_*.cc) or from GGUF metadata (gguf_*.cc).
//
// Ownership: self-contained. Thread-safety: const once finish() ran.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "text/tokenizer.h"
#include "text/tokenizer/model.h"
#include "text/tokenizer/pipeline.h"

namespace ingot {
class Source;
}

namespace ingot::tokenizer {

// How a piece becomes the bytes of text.
enum class PieceForm {
  kPlain,      // as it is
  kByteChars,  // GPT-2's characters for bytes
  kMarked,     // a mark for each space, <0xXX> for a byte
};

// What happens to the very front of decoded text.
enum class FrontRule { kKeep, kStripSpace, kDropMarksOfFirstPiece };

struct Parts {
  VocabPtr vocab;
  std::vector<AddedToken> added;
  Normalizers normalizers;
  PreTokenizers pre_tokenizers;
  std::unique_ptr<const Model> model;
  std::vector<int32_t> before, after;  // what add_special puts around the text
  SpecialTokens special;

  PieceForm form = PieceForm::kPlain;
  std::string mark;  // of kMarked
  FrontRule front = FrontRule::kKeep;
  bool by_bytes = false;          // decoding is the pieces' bytes one after the other, then `front`
  bool joined_by_space = false;   // no decoder: pieces with spaces between
  Decoders decoders;              // used if neither
  std::vector<uint8_t> verbatim;  // by id: the piece is text as it stands (GGUF user-defined, control)

  // Made by finish().
  AddedTokens raw_tokens, normalized_tokens;
  std::vector<int32_t> added_index;  // by id, -1
  std::unordered_map<std::string, int> added_ids;
  std::vector<std::string> shown;  // of each added token: what decoders see (its normalized form)
  int size = 0;

  Result<void> finish();
  // Runs the normalizers. Errors: theirs; kResourceExhausted where one of them makes too much of the text.
  Result<void> normalize(std::string& text) const;

  std::string_view piece(int id) const;  // what decoders see
  std::string bytes(int id) const;
  bool skipped(int id) const;  // when special tokens are left out
};

// Ends of generation by name, beside those that the metadata gives.
void add_known_ends(const Parts& parts, std::vector<int>& ends);

Result<std::unique_ptr<Parts>> parts_from_json(std::string_view tokenizer_json, std::string_view tokenizer_config_json);
Result<std::unique_ptr<Parts>> parts_from_gguf(const Source& source);

}  // namespace ingot::tokenizer
