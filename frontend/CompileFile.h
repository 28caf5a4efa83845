#pragma once

#include "sinter/runtime/Program.h"

/// The one function that programs which link the runtime alone (sinter-run) look up in the compiler
/// library when they are given IR instead of a Program.
extern "C" {

struct SinterCompileRequest {
  const char *path;         // an .mlir file of func.funcs in the sinter dialect
  const char *device;       // "cpu", "cuda", "cuda-emulated" or "reference"
  const char *entry;        // the function to compile; empty: the only one
  int gradient;             // append the cotangents to the inputs and the gradients to the outputs
  const char *dumpDir;      // empty: SINTER_DUMP decides
  const char *numerics;     // "default" or "strict"
  const char *architecture; // "sm_90", or a CPU's instruction set; empty: the device's
  unsigned alternatives;    // CUDA: kernels besides the model's choice, for autotune
  int tf32;                 // CUDA: matrix units multiply f32, each factor rounded to tf32
};

/// Returns a new Program with that one entry, or null with `*error` set (to be freed by `free`).
sinter::runtime::Program *sinterCompileFile(const SinterCompileRequest *request, char **error);

/// The name under which `dlsym` finds it.
#define SINTER_COMPILE_FILE "sinterCompileFile"
}
