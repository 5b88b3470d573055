// ONNX operators that their kernels could not survive, as a model or an engine file may hold them: refused by
// inference.
#include "ir/refused_check.h"

namespace ingot {
namespace {

TEST(HostileOnnx, attention_fits_its_operands) {
  expect_refused(R"(
  input %q: f32[b,4,s,8]  input %k: f32[b,2,s,8]  input %v: f32[b,2,s,6]  input %m: f32[s,s]
  input %pk: f32[b,2,p,8]  input %pv: f32[b,2,p,6]
  %y: f32[b,4,s,6] = Attention(%q, %k, %v, %m, %pk, %pv) {qk_matmul_output_mode=0, softmax_precision="f32"}
  output %y)",
                 {{"%k: f32[b,2,s,8]", "%k: f32[b,3,s,8]"},
                  {"%k: f32[b,2,s,8]", "%k: f32[b,0,s,8]"},
                  {"%k: f32[b,2,s,8]", "%k: f32[b,2,s,4]"},
                  {"%k: f32[b,2,s,8]", "%k: f16[b,2,s,8]"},
                  {"%k: f32[b,2,s,8]", "%k: f32[b,s,16]"},
                  {"%m: f32[s,s]", "%m: f32[3,s,s]"},
                  {"%m: f32[s,s]", "%m: i64[s,s]"},
                  {"%m: f32[s,s]", "%m: f32[]"},
                  {"%pk: f32[b,2,p,8]", "%pk: f32[b,1,p,8]"},
                  {"%pv: f32[b,2,p,6]", "%pv: f32[b,2,p,8]"},
                  {", %pk, %pv", ", %pk"},
                  {"mode=0", "mode=4"},
                  {"\"f32\"", "\"i32\""}});
  expect_refused(R"(
  input %x: f32[b,s,32]
  %y: f32[b,s,32] = Attention(%x, %x, %x) {q_num_heads=4, kv_num_heads=4}
  output %y)",
                 {{"kv_num_heads=4", "kv_num_heads=3"},
                  {"kv_num_heads=4", "kv_num_heads=0"},
                  {"q_num_heads=4", "q_num_heads=-4"},
                  {", kv_num_heads=4", ""}});
}

TEST(HostileOnnx, rotation_stays_within_a_head) {
  expect_refused(R"(
  input %x: f32[2,3,32]  input %c: f32[9,4]  input %s: f32[9,4]  input %p: i64[2,3]
  %y: f32[2,3,32] = RotaryEmbedding(%x, %c, %s, %p) {num_heads=4, rotary_embedding_dim=8}
  output %y)",
                 {{"num_heads=4", "num_heads=0"},
                  {"num_heads=4", "num_heads=5"},
                  {"dim=8", "dim=7"},
                  {"dim=8", "dim=16"},
                  {"dim=8", "dim=-2"},
                  {"%c: f32[9,4]", "%c: f32[9,8]"},
                  {"%s: f32[9,4]", "%s: f32[8,4]"},
                  {"%p: i64[2,3]", "%p: i64[3,2]"}});
}

TEST(HostileOnnx, states_fit_their_steps) {
  expect_refused(R"(
  input %q: f32[1,5,8]  input %k: f32[1,5,4]  input %v: f32[1,5,6]  input %p: f32[1,2,2,3]  input %g: f32[1,5,2]
  %y: f32[1,5,12] = LinearAttention(%q, %k, %v, %p, %g) {q_num_heads=4, kv_num_heads=2, update_rule="gated"}
  output %y)",
                 {{"q_num_heads=4", "q_num_heads=3"},
                  {"kv_num_heads=2", "kv_num_heads=0"},
                  {"\"gated\"", "\"delta\""},
                  {"%p: f32[1,2,2,3]", "%p: f32[1,2,3,2]"},
                  {"%g: f32[1,5,2]", "%g: f32[1,5,3]"},
                  {"%k: f32[1,5,4]", "%k: f32[1,4,4]"}});
  expect_refused(R"(
  input %x: f32[1,3,9]  input %w: f32[3,1,4]  input %p: f32[1,3,3]
  %y: f32[1,3,9] = CausalConvWithState(%x, %w, _, %p)
  output %y)",
                 {{"%w: f32[3,1,4]", "%w: f32[3,2,4]"},
                  {"%w: f32[3,1,4]", "%w: f32[3,1,0]"},
                  {"%p: f32[1,3,3]", "%p: f32[1,3,4]"}});
  expect_refused(R"(
  input %c: f32[2,4,8]  input %u: f32[2,3,8]  input %i: i64[2]
  %y: f32[2,4,8] = TensorScatter(%c, %u, %i) {axis=1}
  output %y)",
                 {{"axis=1", "axis=0"}, {"axis=1", "axis=3"}, {"[2,3,8]", "[2,5,8]"}, {"i64[2]", "i64[1]"}});
}

TEST(HostileOnnx, recurrent_weights_fit) {
  expect_refused(R"(
  input %x: f32[5,2,3]  input %w: f32[1,16,3]  input %r: f32[1,16,4]  input %b: f32[1,32]  input %n: i32[2]
  input %h: f32[1,2,4]  input %p: f32[1,12]
  %y: f32[5,1,2,4] = LSTM(%x, %w, %r, %b, %n, %h, %h, %p) {direction="forward", hidden_size=4, layout=0, activations=["Sigmoid","Tanh","Relu"]}
  output %y)",
                 {{"%w: f32[1,16,3]", "%w: f32[1,12,3]"},
                  {"%r: f32[1,16,4]", "%r: f32[1,16,3]"},
                  {"%b: f32[1,32]", "%b: f32[1,16]"},
                  {"%n: i32[2]", "%n: i32[5]"},
                  {"%h: f32[1,2,4]", "%h: f32[2,1,4]"},
                  {"%p: f32[1,12]", "%p: f32[1,16]"},
                  {"hidden_size=4", "hidden_size=8"},
                  {"hidden_size=4", "hidden_size=0"},
                  {"layout=0", "layout=1"},
                  {"\"forward\"", "\"bidirectional\""},
                  {"\"forward\"", "\"sideways\""},
                  {"\"Relu\"", "\"Reluu\""},
                  {",\"Relu\"", ""}});
}

TEST(HostileOnnx, images_and_windows_are_bounded) {
  expect_refused(R"(
  input %x: f32[1,2,8,8]  input %r: f32[3,4]  input %i: i64[3]
  %y: f32[3,2,2,2] = RoiAlign(%x, %r, %i) {output_height=2, output_width=2, sampling_ratio=2, mode="avg"}
  output %y)",
                 {{"output_height=2", "output_height=0"},
                  {"output_width=2", "output_width=4611686018427387904"},
                  {"sampling_ratio=2", "sampling_ratio=-1"},
                  {"sampling_ratio=2", "sampling_ratio=2147483647"},
                  {"\"avg\"", "\"sum\""},
                  {"[1,2,8,8]", "[1,2,0,8]"},
                  {"%i: i64[3]", "%i: i64[2]"}});
  expect_refused(R"(
  input %x: f32[1,2,8,8]  input %g: f32[1,5,6,2]
  %y: f32[1,2,5,6] = GridSample(%x, %g) {mode="linear", padding_mode="zeros"}
  output %y)",
                 {{"\"linear\"", "\"septic\""},
                  {"\"zeros\"", "\"ones\""},
                  {"%x: f32", "%x: c64"},
                  {"[1,5,6,2]", "[1,5,6,3]"},
                  {"[1,5,6,2]", "[2,5,6,2]"}});
  expect_refused(R"(
  input %x: f32[1,4,9]  const %i: i64[2] = [4,4]  const %b: i64[2] = [2,2]
  %y: f32[1,1,4,4] = Col2Im(%x, %i, %b) {strides=[1,1]}
  output %y)",
                 {{"[4,4]", "[4,5]"}, {"= [2,2]", "= [2,0]"}, {"[1,1]", "[0,1]"}, {"f32[1,4,9]", "f32[1,5,9]"}});
  expect_refused(R"(
  input %x: f32[1,1,2,2]  input %i: i64[1,1,2,2]
  %y: f32[1,1,4,4] = MaxUnpool(%x, %i) {kernel_shape=[2,2], strides=[2,2]}
  output %y)",
                 {{"strides=[2,2]", "strides=[2,-2]"},
                  {"kernel_shape=[2,2]", "kernel_shape=[2]"},
                  {"i64[1,1,2,2]", "i64[1,1,2,3]"}});
  expect_refused(R"(
  input %x: f32[1,2,8,8]  input %w: f32[4,2,3,3]  input %o: f32[1,18,6,6]
  %y: f32[1,4,6,6] = DeformConv(%x, %w, %o) {group=1, offset_group=1}
  output %y)",
                 {{"offset_group=1", "offset_group=0"},
                  {"offset_group=1", "offset_group=2"},
                  {"{group=1", "{group=3"},
                  {"18,6,6", "9,6,6"},
                  {"18,6,6", "18,6,7"}});
}

TEST(HostileOnnx, features_are_there) {
  expect_refused(R"(
  input %x: f32[1,1]  input %z: f32[1,1]
  %y: f32[1,3] = ai.onnx.ml.FeatureVectorizer(%x, %x, %z) {inputdimensions=[1,1,1]}
  output %y)",
                 {{"(%x, %x, %z)", "(%x, _, %z)"}, {"[1,1,1]", "[1,1]"}, {"[1,1,1]", "[1,-1,1]"}});
}

TEST(HostileOnnx, signals_have_a_length) {
  expect_refused(R"(
  input %x: f32[1,16,1]  const %n: i64[] = [8]
  %y: f32[1,8,2] = DFT(%x, %n)
  output %y)",
                 {{"= [8]", "= [0]"},
                  {"= [8]", "= [4611686018427387904]"},
                  {"f32[1,16,1]", "f32[1,16,3]"},
                  {"f32[1,16,1]", "i32[1,16,1]"}});
  expect_refused(R"(
  input %x: f32[1,16,1]  const %s: i64[] = [4]  input %w: f32[8]
  %y: f32[1,3,5,2] = STFT(%x, %s, %w)
  output %y)",
                 {{"= [4]", "= [0]"}, {"%w: f32[8]", "%w: f32[17]"}, {"%w: f32[8]", "%w: f32[0]"}});
  expect_refused(R"(
  const %n: i64[] = [8]
  %y: f32[8] = HannWindow(%n)
  output %y)",
                 {{"= [8]", "= [-1]"}, {"(%n)", "(%n) {output_dtype=\"string\"}"}});
}

}  // namespace
}  // namespace ingot
