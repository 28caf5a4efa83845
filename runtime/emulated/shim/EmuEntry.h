#pragma once

#include "sinter/EmuCuda.h"

// Turns a kernel's parameter list into a function over an array of arguments.

namespace sinter_emu {

template <class T> struct Parameter {
  static constexpr ParamInfo info{ParamKind::scalar, false, sizeof(T)};
  static T read(const Argument &a) {
    static_assert(sizeof(T) <= 8, "a scalar parameter has at most 8 bytes");
    T value;
    memcpy(&value, &a.bits, sizeof(T));
    return value;
  }
};
template <class T> struct Parameter<Ptr<T>> {
  static constexpr ParamInfo info{ParamKind::pointer, true, sizeof(T)};
  static Ptr<T> read(const Argument &a) {
    return {reinterpret_cast<unsigned long long>(a.region->base), a.region};
  }
};
template <class T> struct Parameter<Ptr<const T>> {
  static constexpr ParamInfo info{ParamKind::pointer, false, sizeof(T)};
  static Ptr<const T> read(const Argument &a) {
    return {reinterpret_cast<unsigned long long>(a.region->base), a.region};
  }
};
template <> struct Parameter<TensorMap> {
  static constexpr ParamInfo info{ParamKind::tensorMap, false, sizeof(TensorMap)};
  static const TensorMap &read(const Argument &a) { return *a.map; }
};
// Kernels from outside may have raw pointers; those are not checked.
template <class T> struct Parameter<T *> {
  static constexpr ParamInfo info{ParamKind::rawPointer, true, sizeof(T)};
  static T *read(const Argument &a) { return reinterpret_cast<T *>(a.region->base); }
};
template <class T> struct Parameter<const T *> {
  static constexpr ParamInfo info{ParamKind::rawPointer, false, sizeof(T)};
  static const T *read(const Argument &a) { return reinterpret_cast<const T *>(a.region->base); }
};

template <int... I> struct Indices {};
template <int N, int... I> struct MakeIndices : MakeIndices<N - 1, N - 1, I...> {};
template <int... I> struct MakeIndices<0, I...> { using type = Indices<I...>; };

template <auto F> struct Entry;
template <class... A, void (*F)(A...)> struct Entry<F> {
  static constexpr int count = sizeof...(A);
  static constexpr ParamInfo params[] = {Parameter<A>::info...,
                                         ParamInfo{ParamKind::scalar, false, 0}};
  template <int... I> static void call(const Argument *a, Indices<I...>) {
    F(Parameter<A>::read(a[I])...);
  }
  static void invoke(const Argument *a) { call(a, typename MakeIndices<count>::type{}); }
};

} // namespace sinter_emu

#define SINTER_EMU_ENTRY(name, function)                                                           \
  {                                                                                                \
    name, &sinter_emu::Entry<&function>::invoke, sinter_emu::Entry<&function>::params,             \
        sinter_emu::Entry<&function>::count                                                        \
  }
