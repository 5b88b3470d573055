// Every count, length, depth and size that is read from outside has its limit here.
// A limit is generous to real models and still bounds the memory that a hostile file can claim.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ingot::limits {

// formats
inline constexpr uint64_t kMetadataEntriesMax = 1u << 20;
inline constexpr uint64_t kTensorsMax = 1u << 20;
inline constexpr uint64_t kTensorNameBytesMax = 4096;
inline constexpr uint64_t kStringBytesMax = 256u << 20;
inline constexpr uint64_t kArrayElementsMax = 64u << 20;
inline constexpr uint64_t kSplitFilesMax = 4096;
inline constexpr uint64_t kJsonBytesMax = 512u << 20;
inline constexpr int kJsonDepthMax = 64;
inline constexpr int64_t kTensorElementsMax = int64_t{1} << 46;
inline constexpr uint64_t kTensorAlignmentMax = 1u << 20;
inline constexpr uint64_t kSafetensorsHeaderBytesMax = 100'000'000;  // the format's own limit
inline constexpr uint64_t kFlatKeyBytesMax = 64u << 20;              // all keys of one flattened JSON document

// tensors
inline constexpr int kRankMax = 8;
inline constexpr int64_t kSparseElementsMax = 1 << 28;  // of a sparse tensor made dense

// models
inline constexpr int64_t kExpertsMax = 4096;  // of a layer

// text
inline constexpr size_t kTemplateBytesMax = 1u << 20;
inline constexpr size_t kTemplateOutputBytesMax = 64u << 20;
inline constexpr uint64_t kTemplateStepsMax = 50'000'000;
inline constexpr int kTemplateDepthMax = 128;
inline constexpr size_t kTemplateMemoryBytesMax = 256u << 20;
inline constexpr size_t kPromptBytesMax = 256u << 20;
inline constexpr int kVocabSizeMax = 1 << 24;
inline constexpr size_t kRegexBytesMax = 64u << 10;

// graphs
inline constexpr int kSubgraphDepthMax = 32;
inline constexpr int64_t kGraphNodesMax = 1 << 20;
inline constexpr int kTypeDepthMax = 8;                     // sequences of sequences
inline constexpr int64_t kSequenceElementsMax = 1 << 22;    // of one sequence
inline constexpr int64_t kLoopIterationsMax = 100'000'000;  // of all loops of one run together
inline constexpr int kFunctionDepthMax = 32;                // of functions that call functions

// sampling
inline constexpr size_t kDryBreakersMax = 64;
inline constexpr size_t kDryBreakerBytesMax = 40;
inline constexpr size_t kDryBreakerTokensMax = 20;
inline constexpr size_t kLogitBiasMax = 1 << 20;
inline constexpr int kTopLogprobsMax = 1024;
inline constexpr size_t kStopStringsMax = 256;
inline constexpr size_t kStopBytesMax = 4096;

// engine
inline constexpr size_t kTenantsMax = 4096;  // whose service is remembered
inline constexpr int kChoicesMax = 128;      // parallel samples of one request
inline constexpr size_t kStopTokensMax = 256;
inline constexpr size_t kRequestNameBytesMax = 1024;  // tenant, cache salt
inline constexpr int64_t kBatchTokensMax = 1 << 20;
inline constexpr int64_t kSequencesMax = 1 << 16;

// grammars
inline constexpr size_t kGrammarBytesMax = 1u << 20;  // of the text that describes one
inline constexpr size_t kGrammarStatesMax = 200'000;
inline constexpr size_t kGrammarSetsMax = 50'000;  // places in a text that are remembered
inline constexpr size_t kGrammarMasksMax = 1024;
inline constexpr int kGrammarDepthMax = 256;  // of its nesting, and of the text's
inline constexpr int64_t kGrammarRepeatMax = 100'000;

// hub
inline constexpr size_t kHubAnswerBytesMax = 64u << 20;
inline constexpr size_t kHubFilesMax = 10'000;
inline constexpr int kHubRedirectsMax = 10;
inline constexpr int kHubPagesMax = 1000;

// server
inline constexpr size_t kModelsMax = 4096;
inline constexpr size_t kModelNameBytesMax = 256;
inline constexpr size_t kApiKeysMax = 10'000;
inline constexpr size_t kHttpHeaderBytesMax = 64u << 10;
inline constexpr size_t kHttpBodyBytesMax = 64u << 20;  // the default; --max-body-bytes
inline constexpr size_t kRequestIdBytesMax = 128;
inline constexpr size_t kUnreadBytesMax = 4u << 20;  // of a stream that its client does not read
inline constexpr int kWorkerJobsMax = 4096;          // requests that wait to be parsed or tokenized

// machine
inline constexpr int kThreadsMax = 1024;

}  // namespace ingot::limits
