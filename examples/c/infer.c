/* Runs a tensor model once, in C: infer MODEL.onnx. Inputs are 0, 0.01, 0.02, ...; unknown sizes are 1.
 * cc infer.c $(pkg-config --cflags --libs ingot) */
#include <ingot/ingot.h>
#include <stdio.h>
#include <stdlib.h>

enum { kPortsMax = 32, kShown = 8 };

static void check(ingot_status* status) {
  if (status == NULL) return;
  fprintf(stderr, "error: %s\n", ingot_status_message(status));
  ingot_status_release(status);
  exit(1);
}

static ingot_value* make_input(const ingot_port* port) {
  int64_t dims[8] = {0};
  ingot_value* value = NULL;
  void* data = NULL;
  size_t bytes = 0;
  for (int i = 0; i < port->rank; ++i) dims[i] = port->dims[i] < 0 ? 1 : port->dims[i];
  check(ingot_tensor_create(port->dtype, dims, port->rank < 0 ? 0 : (size_t)port->rank, &value));
  if (port->dtype != INGOT_FLOAT32) return value; /* zeros */
  check(ingot_tensor_get_data(value, &data, &bytes));
  for (size_t i = 0; i < bytes / sizeof(float); ++i) ((float*)data)[i] = 0.01f * (float)i;
  return value;
}

static void print_output(const char* name, const ingot_value* value) {
  const int64_t* dims = NULL;
  size_t rank = 0, bytes = 0;
  ingot_dtype dtype = 0;
  void* data = NULL;
  check(ingot_tensor_get_dtype(value, &dtype));
  check(ingot_tensor_get_shape(value, &dims, &rank));
  printf("%s: %s [", name, ingot_dtype_name(dtype));
  for (size_t i = 0; i < rank; ++i) printf("%s%lld", i ? "," : "", (long long)dims[i]);
  printf("]");
  if (dtype == INGOT_FLOAT32) {
    check(ingot_tensor_get_data(value, &data, &bytes));
    for (size_t i = 0; i < bytes / sizeof(float) && i < kShown; ++i) printf(" %g", ((const float*)data)[i]);
  }
  printf("\n");
}

int main(int argc, char** argv) {
  ingot_session* session = NULL;
  const char* names[kPortsMax];
  ingot_value *inputs[kPortsMax], *outputs[kPortsMax] = {NULL};
  ingot_port port = {sizeof(ingot_port), NULL, 0, 0, 0, NULL, NULL};
  if (argc != 2) {
    fprintf(stderr, "usage: %s MODEL.onnx\n", argv[0]);
    return 2;
  }
  check(ingot_session_load(argv[1], NULL, &session));
  size_t num_inputs = ingot_session_num_inputs(session), num_outputs = ingot_session_num_outputs(session);
  if (num_inputs > kPortsMax || num_outputs > kPortsMax) return 1;
  for (size_t i = 0; i < num_inputs; ++i) {
    check(ingot_session_get_input(session, i, &port));
    names[i] = port.name;
    inputs[i] = make_input(&port);
  }
  check(ingot_session_run(session, NULL, names, (const ingot_value* const*)inputs, num_inputs, NULL, num_outputs,
                          outputs));
  for (size_t i = 0; i < num_outputs; ++i) {
    check(ingot_session_get_output(session, i, &port));
    print_output(port.name, outputs[i]);
    ingot_value_release(outputs[i]);
  }
  for (size_t i = 0; i < num_inputs; ++i) ingot_value_release(inputs[i]);
  ingot_session_release(session);
  return 0;
}
