// Loops, scans and sequences in text form: against what the specification says, and against their evaluation node by
// node; with one thread and two.
#include <gtest/gtest.h>

#include "backends/cpu/cpu.h"
#include "backends/evaluate.h"
#include "backends/ref/ref.h"
#include "runtime/session.h"

namespace ingot {
namespace {

Result<std::unique_ptr<Session>> session(std::string_view text, int threads) {
  auto graph = INGOT_TRY(parse_graph(text));
  EXPECT_EQ(print(INGOT_TRY(parse_graph(print(graph)))), print(graph));
  INGOT_TRY(verify(graph));
  return Session::create(std::move(graph),
                         {.pool = std::make_shared<ThreadPool>(threads), .backends = {&cpu_backend(), &ref_backend()}});
}

Tensor floats(const Shape& shape, const std::vector<float>& values) {
  Tensor t = Tensor::allocate(DType::kF32, shape);
  std::ranges::copy(values, t.mutable_as<float>());
  return t;
}

Tensor integer(int64_t value) {
  Tensor t = Tensor::allocate(DType::kI64, {});
  *t.mutable_as<int64_t>() = value;
  return t;
}

Tensor sequence(std::initializer_list<Tensor> list) {
  Tensor t = Tensor::allocate(DType::kSequence, Shape{static_cast<int64_t>(list.size())});
  std::ranges::copy(list, t.mutable_as<Tensor>());
  return t;
}

// "f32[2] 1 2", "seq(f32[1] 1; f32[2] 1 2)"
std::string shown(const TensorView& t) {
  std::string out;
  if (is_container(t.dtype)) {
    for (int64_t i = 0; i < t.num_elements(); ++i) out += (i ? "; " : "") + shown(t.as<Tensor>()[i]);
    return fmt::format("{}({})", dtype_name(t.dtype), out);
  }
  out = fmt::format("{}{}", dtype_name(t.dtype), t.shape.to_string());
  for (int64_t i = 0; i < t.num_elements(); ++i) {
    switch (t.dtype) {
      case DType::kF32: out += fmt::format(" {}", t.as<float>()[i]); break;
      case DType::kI64: out += fmt::format(" {}", t.as<int64_t>()[i]); break;
      case DType::kString: out += " " + t.as<std::string>()[i]; break;
      default: out += fmt::format(" {}", t.as<uint8_t>()[i]);
    }
  }
  return out;
}

std::string results(std::string_view text, std::span<const Tensor> inputs, int threads,
                    const RunOptions& options = {}) {
  auto s = session(text, threads);
  if (!s) return s.error().message();
  std::vector<TensorView> views(inputs.begin(), inputs.end());
  std::string out;
  for (int again = 0; again < 2; ++again) {  // memory that is kept changes nothing
    auto outputs = (*s)->run(views, nullptr, options);
    if (!outputs) return outputs.error().message();
    std::string now;
    for (size_t i = 0; i < (*s)->graph().outputs().size(); ++i) now += (i ? " | " : "") + shown((*outputs)[i]);
    EXPECT_TRUE(again == 0 || now == out) << now;
    out = now;
  }
  return out;
}

void expect(std::string_view text, std::vector<Tensor> inputs, std::string_view wanted) {
  for (int threads : {1, 2}) EXPECT_EQ(results(text, inputs, threads), wanted) << threads << " threads";
  const auto graph = parse_graph(text);
  ASSERT_TRUE(graph) << graph.error().message();
  const auto ref = evaluate_graph(ref_backend(), *graph, inputs);
  ASSERT_TRUE(ref) << ref.error().message();
  std::string out;
  for (size_t i = 0; i < ref->size(); ++i) out += (i ? " | " : "") + shown((*ref)[i]);
  EXPECT_EQ(out, wanted) << "node by node";
}

// Carries the sum, swaps two values, stacks the sum before each step; ends once the sum reaches 20.
constexpr std::string_view kSums = R"(graph "g" {
  input %n: i64[]
  input %x: f32[2]
  const %zero: f32[2] = [0,0]
  const %a: f32[1] = [1]
  const %b: f32[1] = [2]
  %sum: f32[2], %p: f32[1], %q: f32[1], %all: f32[?,2] = Loop(%n, _, %zero, %a, %b, %x) {num_carried=3, body=graph "body" {
    input %i: i64[]
    input %c: bool[]
    input %s: f32[2]
    input %u: f32[1]
    input %v: f32[1]
    input %cx: f32[2]
    const %limit: f32[1] = [20]
    const %axes: i64[1] = [0]
    %next: f32[2] = Add(%s, %cx)
    %most: f32[1] = ReduceMax(%next, %axes)
    %go: bool[1] = Less(%most, %limit)
    output %go, %next, %v, %u, %s
  }}
  output %sum, %p, %q, %all
})";

TEST(ControlFlow, a_loop_carries_swaps_and_stacks) {
  expect(kSums, {integer(3), floats({2}, {1, 2})}, "f32[2] 3 6 | f32[1] 2 | f32[1] 1 | f32[3,2] 0 0 1 2 2 4");
  expect(kSums, {integer(0), floats({2}, {1, 2})}, "f32[2] 0 0 | f32[1] 1 | f32[1] 2 | f32[0,2]");
  expect(kSums, {integer(-5), floats({2}, {1, 2})}, "f32[2] 0 0 | f32[1] 1 | f32[1] 2 | f32[0,2]");
  expect(kSums, {integer(100), floats({2}, {1, 9})}, "f32[2] 3 27 | f32[1] 2 | f32[1] 1 | f32[3,2] 0 0 1 9 2 18");
}

// The carried list grows; the inner loop reads it and the outer counter.
constexpr std::string_view kNested = R"(graph "g" {
  input %n: i64[]
  const %none: i64[0] = []
  %list: i64[?], %sums: i64[?] = Loop(%n, _, %none) {num_carried=1, body=graph "outer" {
    input %i: i64[]
    input %c: bool[]
    input %l: i64[?]
    const %axes: i64[1] = [0]
    const %zero: i64[] = [0]
    %one: i64[1] = Unsqueeze(%i, %axes)
    %longer: i64[?] = Concat(%l, %one) {axis=0}
    %sum: i64[] = Loop(%i, _, %zero, %longer) {num_carried=1, body=graph "inner" {
      input %k: i64[]
      input %d: bool[]
      input %s: i64[]
      input %values: i64[?]
      %value: i64[] = Gather(%values, %k) {axis=0}
      %t: i64[] = Add(%s, %value)
      output %d, %t
    }}
    output %c, %longer, %sum
  }}
  output %list, %sums
})";

TEST(ControlFlow, loops_nest_and_carry_what_grows) {
  expect(kNested, {integer(5)}, "i64[5] 0 1 2 3 4 | i64[5] 0 0 1 3 6");
  expect(kNested, {integer(0)}, "i64[0] | i64[0]");
}

constexpr std::string_view kScan = R"(graph "g" {
  input %x: f32[n,2]
  input %y: f32[n]
  const %zero: f32[2] = [0,0]
  %sum: f32[2], %a: f32[n,2], %b: f32[n] = Scan(%zero, %x, %y) {num_carried=1, num_scan_inputs=2, scan_input_directions=[0,1], scan_output_directions=[0,1], body=graph "b" {
    input %s: f32[2]
    input %r: f32[2]
    input %t: f32[]
    %u: f32[2] = Add(%s, %r)
    %v: f32[2] = Mul(%r, %t)
    %w: f32[] = Neg(%t)
    output %u, %v, %w
  }}
  output %sum, %a, %b
})";

TEST(ControlFlow, a_scan_goes_both_ways) {
  expect(kScan, {floats({3, 2}, {1, 2, 3, 4, 5, 6}), floats({3}, {10, 20, 30})},
         "f32[2] 9 12 | f32[3,2] 30 60 60 80 50 60 | f32[3] -10 -20 -30");
  expect(kScan, {floats({0, 2}, {}), floats({0}, {})}, "f32[2] 0 0 | f32[0,2] | f32[0]");
  EXPECT_NE(results(kScan, std::vector{floats({3, 2}, {1, 2, 3, 4, 5, 6}), floats({2}, {1, 2})}, 1).find("dimension"),
            std::string::npos);
}

// Even steps append, odd ones do not: an If that answers with a sequence, in a Loop that carries it.
constexpr std::string_view kSequenceLoop = R"(graph "g" {
  input %n: i64[]
  input %seq: seq(f32[?])
  input %x: f32[2]
  %y: seq(f32[?]) = Loop(%n, _, %seq, %x) {num_carried=1, body=graph "b" {
    input %i: i64[]
    input %c: bool[]
    input %s: seq(f32[?])
    input %cx: f32[2]
    const %two: i64[] = [2]
    const %zero: i64[] = [0]
    %m: i64[] = Mod(%i, %two)
    %even: bool[] = Equal(%m, %zero)
    %t: seq(f32[?]) = If(%even, %s, %cx) {then_branch=graph "t" {
      input %s: seq(f32[?])
      input %cx: f32[2]
      %z: seq(f32[?]) = SequenceInsert(%s, %cx)
      output %z
    }, else_branch=graph "e" {
      input %s: seq(f32[?])
      input %cx: f32[2]
      %z: seq(f32[?]) = Identity(%s)
      output %z
    }}
    output %c, %t
  }}
  const %last: i64[] = [-1]
  %n2: i64[] = SequenceLength(%y)
  %e: f32[?] = SequenceAt(%y, %last)
  %all: f32[?] = ConcatFromSequence(%y) {axis=0}
  output %y, %n2, %e, %all
})";

TEST(ControlFlow, a_loop_carries_a_sequence) {
  expect(kSequenceLoop, {integer(3), sequence({floats({1}, {7})}), floats({2}, {1, 2})},
         "seq(f32[1] 7; f32[2] 1 2; f32[2] 1 2) | i64[] 3 | f32[2] 1 2 | f32[5] 7 1 2 1 2");
  expect(kSequenceLoop, {integer(1), sequence({}), floats({2}, {1, 2})},
         "seq(f32[2] 1 2) | i64[] 1 | f32[2] 1 2 | f32[2] 1 2");
  EXPECT_NE(results(kSequenceLoop, std::vector{integer(0), sequence({}), floats({2}, {1, 2})}, 1).find("position -1"),
            std::string::npos);
}

constexpr std::string_view kMap = R"(graph "g" {
  input %a: seq(f32[?])
  input %b: seq(f32[?])
  input %c: f32[1]
  input %d: f32[]
  %y: seq(f32[?]), %s: seq(i64[1]) = SequenceMap(%a, %b, %c, %d) {num_scan_inputs=3, body=graph "m" {
    input %p: f32[?]
    input %q: f32[?]
    input %r: f32[1]
    input %t: f32[]
    %u: f32[?] = Concat(%p, %q, %r) {axis=0}
    %v: f32[?] = Mul(%u, %t)
    %w: i64[1] = Shape(%v)
    output %v, %w
  }}
  output %y, %s
})";

TEST(ControlFlow, a_map_goes_through_sequences) {
  expect(kMap,
         {sequence({floats({1}, {1}), floats({0}, {})}), sequence({floats({2}, {2, 3}), floats({1}, {4})}),
          floats({1}, {5}), floats({}, {2})},
         "seq(f32[4] 2 4 6 10; f32[2] 8 10) | seq(i64[1] 4; i64[1] 2)");
  EXPECT_NE(results(kMap, std::vector{sequence({}), sequence({floats({1}, {1})}), floats({1}, {5}), floats({}, {2})}, 1)
                .find("operands of 0 and 1 slices"),
            std::string::npos);
}

constexpr std::string_view kOptional = R"(graph "g" {
  input %o: optional(seq(f32[2]))
  %has: bool[] = OptionalHasElement(%o)
  %s: seq(f32[?]) = If(%has, %o) {then_branch=graph "t" {
    input %o: optional(seq(f32[2]))
    %z: seq(f32[2]) = OptionalGetElement(%o)
    output %z
  }, else_branch=graph "e" {
    input %o: optional(seq(f32[2]))
    %z: seq(f32[*]) = SequenceEmpty()
    output %z
  }}
  %w: optional(seq(f32[*])) = Optional(%s)
  %none: optional(f32[3]) = Optional() {type="f32[3]"}
  output %has, %s, %w, %none
})";

TEST(ControlFlow, optionals_hold_a_value_or_none) {
  Tensor full = Tensor::allocate(DType::kOptional, Shape{1});
  *full.mutable_as<Tensor>() = sequence({floats({2}, {1, 2})});
  expect(kOptional, {full}, "bool[] 1 | seq(f32[2] 1 2) | optional(seq(f32[2] 1 2)) | optional()");
  expect(kOptional, {Tensor::allocate(DType::kOptional, Shape{0})}, "bool[] 0 | seq() | optional(seq()) | optional()");
}

TEST(ControlFlow, values_that_do_not_fit_their_types_are_refused) {
  Tensor two = Tensor::allocate(DType::kOptional, Shape{2});
  for (const Tensor& bad : {sequence({floats({2}, {1, 2})}), two, floats({2}, {1, 2})})
    EXPECT_NE(results(kOptional, std::vector{bad}, 1).find("input 'o'"), std::string::npos);
  Tensor odd = Tensor::allocate(DType::kOptional, Shape{1});
  for (const Tensor& bad : {sequence({floats({3}, {1, 2, 3})}), sequence({integer(1)}), sequence({Tensor()})}) {
    *odd.mutable_as<Tensor>() = bad;
    EXPECT_NE(results(kOptional, std::vector{odd}, 1).find("input 'o'"), std::string::npos);
  }
}

constexpr std::string_view kSplit = R"(graph "g" {
  input %x: f32[2,n]
  input %sizes: i64[k]
  %a: seq(f32[2,?]) = SplitToSequence(%x, %sizes) {axis=-1}
  %b: seq(f32[2]) = SplitToSequence(%x) {axis=1, keepdims=0}
  %c: f32[2,?] = ConcatFromSequence(%b) {axis=-1, new_axis=1}
  const %one: i64[] = [1]
  %d: seq(f32[2,?]) = SequenceErase(%a, %one)
  output %a, %b, %c, %d
})";

TEST(ControlFlow, tensors_split_and_join) {
  Tensor sizes = Tensor::allocate(DType::kI64, Shape{2});
  sizes.mutable_as<int64_t>()[0] = 1;
  sizes.mutable_as<int64_t>()[1] = 2;
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  expect(kSplit, {x, sizes},
         "seq(f32[2,1] 1 4; f32[2,2] 2 3 5 6) | seq(f32[2] 1 4; f32[2] 2 5; f32[2] 3 6) | f32[2,3] 1 2 3 4 5 6 | "
         "seq(f32[2,1] 1 4)");
  sizes.mutable_as<int64_t>()[1] = INT64_MAX;
  EXPECT_NE(results(kSplit, std::vector{x, sizes}, 1).find("sizes go past"), std::string::npos);
}

// Bytes say nothing of how many there are: 2^31 rows of nothing.
TEST(ControlFlow, a_sequence_of_too_many_is_refused) {
  constexpr std::string_view kText = R"(graph "g" {
    input %x: f32[n,m]
    input %size: i64[]
    %a: seq(f32[?,m]) = SplitToSequence(%x, %size)
    %y: i64[] = SequenceLength(%a)
    output %y
  })";
  const Tensor x = floats({int64_t{1} << 31, 0}, {});
  EXPECT_NE(results(kText, std::vector{x, integer(1)}, 1).find("a sequence of 2147483648 elements, the limit is"),
            std::string::npos);
  EXPECT_NE(results(kText, std::vector{x, integer(0)}, 1).find("parts of 0"), std::string::npos);
  expect(kText, {x, integer(1 << 30)}, "i64[] 2");
}

// Without an end: %c stays true, and there is no number of trips.
constexpr std::string_view kEndless = R"(graph "g" {
  input %x: f32[4]
  %y: f32[4] = Loop(_, _, %x) {num_carried=1, body=graph "b" {
    input %i: i64[]
    input %c: bool[]
    input %s: f32[4]
    %t: f32[4] = Neg(%s)
    output %c, %t
  }}
  output %y
})";

TEST(ControlFlow, a_loop_without_end_ends) {
  const std::vector inputs{floats({4}, {1, 2, 3, 4})};
  const std::atomic<bool> cancelled = true;
  for (int threads : {1, 2}) {
    EXPECT_NE(results(kEndless, inputs, threads, {.loop_iterations_max = 1000}).find("more than 1000 iterations"),
              std::string::npos);
    const auto past = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
    EXPECT_NE(results(kEndless, inputs, threads, {.deadline = past}).find("longer than it was given"),
              std::string::npos);
    EXPECT_NE(results(kEndless, inputs, threads, {.cancelled = &cancelled}).find("cancelled"), std::string::npos);
  }
}

TEST(ControlFlow, a_stack_of_unequal_slices_is_refused) {
  constexpr std::string_view kText = R"(graph "g" {
    input %n: i64[]
    %y: i64[?,?] = Loop(%n, _) {num_carried=0, body=graph "b" {
      input %i: i64[]
      input %c: bool[]
      const %zero: i64[] = [0]
      const %one: i64[] = [1]
      %r: i64[?] = Range(%zero, %i, %one)
      output %c, %r
    }}
    output %y
  })";
  EXPECT_NE(results(kText, std::vector{integer(3)}, 1).find("slices of the shapes [0] and [1]"), std::string::npos);
}

TEST(ControlFlow, text_that_does_not_fit_is_refused) {
  const auto refused = [](std::string text, std::string_view part, std::string_view other) {
    const size_t at = text.find(part);
    ASSERT_NE(at, text.npos) << part;
    const auto s = session(text.replace(at, part.size(), other), 1);
    EXPECT_FALSE(s) << part << " -> " << other;
  };
  const std::string sums(kSums), scan(kScan), map(kMap), optional(kOptional);
  refused(sums, "num_carried=3", "num_carried=2");
  refused(sums, "num_carried=3", "num_carried=-1");
  refused(sums, "num_carried=3", "num_carried=9");
  refused(sums, "input %c: bool[]", "input %c: f32[]");
  refused(sums, "output %go, %next", "output %next, %go");
  refused(sums, "Loop(%n, _, %zero, %a, %b, %x)", "Loop(%n, _, %zero, %a, %b)");
  refused(sums, "Loop(%n, _, %zero, %a, %b, %x)", "Loop(%x, _, %zero, %a, %b, %x)");
  refused(sums, "Loop(%n, _, %zero, %a, %b, %x)", "Loop(%n, _, _, %a, %b, %x)");
  refused(sums, "body=graph", "then_branch=graph");
  refused(scan, "num_scan_inputs=2", "num_scan_inputs=3");
  refused(scan, "num_scan_inputs=2", "num_scan_inputs=0");
  refused(scan, "scan_input_directions=[0,1]", "scan_input_directions=[0]");
  refused(scan, "scan_output_directions=[0,1]", "scan_output_directions=[0,2]");
  refused(scan, "input %t: f32[]", "input %t: f32[1]");
  refused(map, "num_scan_inputs=3", "num_scan_inputs=9");
  refused(map, "input %p: f32[?]", "input %p: i64[?]");
  refused(map, "%a: seq(f32[?])", "%a: f32[?]");
  refused(optional, "type=\"f32[3]\"", "type=\"f32[3\"");
  refused(optional, "%o: optional(seq(f32[2]))", "%o: optional(seq(i64[2]))");
  refused(optional, "optional(seq(f32[2]))", "optional(f32[2],f32[2])");
}

}  // namespace
}  // namespace ingot
