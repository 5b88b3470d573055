// For tests: runs one node on the CPU backend, on several threads, and on the reference backend.
#pragma once

#include <gtest/gtest.h>

#include <barrier>
#include <cmath>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "backends/cpu/cpu.h"
#include "backends/cpu/kernels/simd/float_isa.h"
#include "backends/evaluate.h"
#include "backends/ref/ref.h"
#include "base/cpu_features.h"
#include "ir/infer.h"

namespace ingot {

inline Tensor random_tensor(const Shape& shape, unsigned seed, float low = -1, float high = 1) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> value(low, high);
  Tensor t = Tensor::allocate(DType::kF32, shape);
  for (int64_t i = 0; i < shape.num_elements(); ++i) t.mutable_as<float>()[i] = value(random);
  return t;
}

inline Tensor int_tensor(const std::vector<int64_t>& values) {
  Tensor t = Tensor::allocate(DType::kI64, Shape{static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), t.mutable_as<int64_t>());
  return t;
}

struct OpCase {
  Op op;
  Attributes attributes;
  std::vector<Tensor> inputs;
  uint32_t constants = 0;  // bit i: input i is a constant; bit 31: and all after it
  int outputs = 1;
};

struct OpRun {
  std::vector<Tensor> outputs;
  std::string error;  // why the backend does not run it, or what it reported
};

inline bool operand_bit(uint32_t bits, size_t i) { return bits >> std::min<size_t>(i, 31) & 1; }

// The node on the CPU backend with this many threads.
inline OpRun run_on_cpu(const OpCase& k, int threads) {
  Graph graph;
  std::vector<ValueId> ids;
  for (size_t i = 0; i < k.inputs.size(); ++i) {
    const Tensor& t = k.inputs[i];
    const std::string name = "x" + std::to_string(i);
    ids.push_back(!t.defined()                  ? kNoValue
                  : operand_bit(k.constants, i) ? graph.add_constant(name, t)
                                                : graph.add_input(name, Type::of(t.view())));
  }
  auto id = graph.add_node(k.op, ids, k.outputs, k.attributes);
  if (!id) return {{}, std::string(id.error().message())};
  const NodeView view{graph, graph.node(*id)};
  if (const Support s = cpu_backend().supports(view); !s.ok) return {{}, s.reason};
  ThreadPool pool(threads);
  auto kernel = cpu_backend().prepare(view, pool);
  if (!kernel) return {{}, std::string(kernel.error().message())};
  OpRun out;
  std::vector<TensorRef> refs;
  std::vector<TensorView> views, result_views;
  for (size_t i = 0; i < k.inputs.size(); ++i)  // what was packed must not be read
    views.push_back(operand_bit(kernel->consumed_inputs, i)
                        ? TensorView{k.inputs[i].dtype(), k.inputs[i].shape(), nullptr}
                        : k.inputs[i].view());
  for (ValueId v : view.node.outputs) {
    out.outputs.push_back(Tensor::allocate(graph.value(v).type.dtype, *graph.value(v).type.concrete()));
    refs.push_back(out.outputs.back().mutable_view());
    result_views.push_back(refs.back());
  }
  std::shared_ptr<void> scratch;
  if (kernel->scratch_bytes)
    scratch =
        allocate_aligned(kernel->scratch_bytes({view.node, views, result_views, threads, kernel->prepared.get()}));
  struct Owner {
    ThreadPool* pool;
    std::string* error;
  } owner{&pool, &out.error};
  const KernelContext::Hooks hooks{&owner, [](void* o) { static_cast<Owner*>(o)->pool->barrier(); },
                                   [](void*, int, const Shape&) {},
                                   [](void* o, Status s) { *static_cast<Owner*>(o)->error = s.message(); }};
  pool.run([&](int thread, int num_threads) {
    KernelContext context{
        view.node, kernel->prepared.get(), views, refs, static_cast<std::byte*>(scratch.get()), thread, num_threads,
        hooks};
    kernel->run(context);
  });
  return out;
}

// On every ISA and with 1, 2 and 3 threads: within `tolerance` of the reference, relative to max(|want|, scale);
// the bits equal for every number of threads.
inline void expect_like_ref(const OpCase& k, const std::string& what, double tolerance = 1e-5, double scale = 1) {
  Node node{.op = k.op, .attributes = k.attributes};
  for (size_t i = 0; i < k.inputs.size(); ++i)
    node.inputs.push_back(k.inputs[i].defined() ? ValueId{static_cast<int32_t>(i)} : kNoValue);
  node.outputs.resize(static_cast<size_t>(k.outputs));
  const auto want = evaluate_node(ref_backend(), node, k.inputs);
  ASSERT_TRUE(want.has_value()) << what << ": " << want.error().message();
  const Isa before = current_isa();
  for (Isa isa : available_float_isas()) {
    set_isa(isa);
    std::vector<Tensor> first;
    for (int threads : {1, 2, 3}) {
      const OpRun got = run_on_cpu(k, threads);
      ASSERT_EQ(got.error, "") << what;
      for (size_t o = 0; o < got.outputs.size(); ++o) {
        const TensorView a = got.outputs[o].view(), b = (*want)[o].view();
        ASSERT_EQ(a.shape.to_string(), b.shape.to_string()) << what;
        if (a.dtype != DType::kF32) {
          ASSERT_EQ(0, std::memcmp(a.data, b.data, a.num_bytes())) << what << " " << isa_name(isa);
          continue;
        }
        for (int64_t i = 0; i < a.num_elements() && threads == 1; ++i) {
          const double x = a.as<float>()[i], y = b.as<float>()[i];
          if (x == y || (std::isnan(x) && std::isnan(y))) continue;
          ASSERT_LE(std::fabs(x - y), tolerance * std::max(std::fabs(y), scale))
              << what << " " << isa_name(isa) << " [" << i << "] is " << x << ", not " << y;
        }
        if (threads > 1) {
          ASSERT_EQ(0, std::memcmp(a.data, first[o].view().data, a.num_bytes())) << what << " threads " << threads;
        }
      }
      if (threads == 1) first = got.outputs;
    }
  }
  set_isa(before);
}

}  // namespace ingot
