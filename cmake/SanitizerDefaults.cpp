// Defaults for sanitized programs, so that they hold when one is run by hand too. The distribution's
// LLVM is not instrumented: its containers cross into our code without annotations, it uses slabs of
// allocators that our copies of its inline functions would poison, and what it keeps until exit is not
// our leak. What is too large to allocate is for us to report.
extern "C" const char *__asan_default_options();
extern "C" const char *__asan_default_options() {
  return "detect_container_overflow=0:allow_user_poisoning=0:detect_leaks=0:allocator_may_return_null=1";
}
extern "C" const char *__ubsan_default_options();
extern "C" const char *__ubsan_default_options() {
  return "print_stacktrace=1:halt_on_error=1";
}
