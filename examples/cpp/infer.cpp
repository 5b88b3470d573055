// Runs a model of float tensors in C++: infer MODEL.onnx. The first input's unknown sizes are 2. The first output is
// computed straight into a std::vector, without a copy, run after run.
#include <cstdio>
#include <ingot/ingot.hpp>
#include <numeric>

static std::vector<int64_t> concrete(const ingot_port& port, int64_t unknown) {
  std::vector<int64_t> shape;
  for (int i = 0; i < port.rank; ++i) shape.push_back(port.dims[i] < 0 ? unknown : port.dims[i]);
  return shape;
}

static size_t count(const std::vector<int64_t>& shape) {
  return static_cast<size_t>(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()));
}

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s MODEL.onnx\n", argv[0]);
    return 2;
  }
  ingot::Session session(argv[1], {{"threads", "2"}});
  for (const auto& [key, value] : session.metadata()) std::printf("%s: %s\n", key.c_str(), value.c_str());

  std::vector<std::vector<float>> data;
  std::vector<ingot::Value> values;
  std::vector<ingot::Session::Named> inputs;
  const std::vector<ingot_port> ports = session.inputs();
  data.reserve(ports.size());
  values.reserve(ports.size());
  for (const ingot_port& port : ports) {
    const std::vector<int64_t> shape = concrete(port, 2);
    data.emplace_back(count(shape), 0.5f);
    values.push_back(ingot::Value::borrow(data.back(), shape));  // used in place
    inputs.emplace_back(port.name, &values.back());
  }

  // Once, to learn the shape of the result; then as often as you like into the same memory.
  const char* name = session.outputs()[0].name;
  const std::vector<int64_t> shape = session.run(inputs, {name})[0].shape();
  std::vector<float> result(count(shape));
  const ingot::Value target = ingot::Value::borrow(result, shape);
  ingot::RunOptions options;
  options.timeout_ms(60000);
  for (int i = 0; i < 3; ++i) session.run_into(inputs, {{name, &target}}, &options);

  std::printf("%s:", name);
  for (size_t i = 0; i < result.size() && i < 8; ++i) std::printf(" %g", result[i]);
  std::printf("\n");
  return 0;
} catch (const ingot::Error& e) {
  std::fprintf(stderr, "error: %s\n", e.what());
  return 1;
}
