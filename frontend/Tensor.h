#pragma once

#include "sinter/frontend/Errors.h"
#include "sinter/frontend/Types.h"

#include <memory>
#include <optional>
#include <type_traits>

namespace sinter {

namespace detail {
struct TensorImpl;
}
class Arg;

/// A value of a graph that is being traced, or a parameter, which any trace may use. A handle:
/// copies are the same value. Ops are free functions (Ops.h); the commonest are members too.
class Tensor {
public:
  Tensor() = default; // no value; false
  explicit Tensor(std::shared_ptr<detail::TensorImpl> impl) : impl_(std::move(impl)) {}
  explicit operator bool() const { return impl_ != nullptr; }

  /// Throw UserError on a tensor without a value.
  const TensorSpec &spec(Where where = Where::current()) const;
  const Shape &shape(Where where = Where::current()) const { return spec(where).shape; }
  DType dtype(Where where = Where::current()) const { return spec(where).dtype; }
  int64_t rank(Where where = Where::current()) const;
  /// Negative dimensions count from the end.
  int64_t size(int64_t dim, Where where = Where::current()) const;
  /// A parameter's name; empty for other values.
  const std::string &name() const;

  Tensor matmul(const Tensor &other, Where where = Where::current()) const;
  Tensor reshape(Shape shape, Where where = Where::current()) const;
  Tensor flatten(int64_t start_dim = 0, int64_t end_dim = -1, Where where = Where::current()) const;
  Tensor permute(Dims dims, Where where = Where::current()) const;
  Tensor transpose(int64_t dim0, int64_t dim1, Where where = Where::current()) const;
  Tensor t(Where where = Where::current()) const;
  Tensor sum(Dims dim = {}, bool keepdim = false, Where where = Where::current()) const;
  Tensor mean(Dims dim = {}, bool keepdim = false, Where where = Where::current()) const;
  Tensor argmax(std::optional<int64_t> dim = {}, bool keepdim = false,
                Where where = Where::current()) const;
  Tensor to(DType dtype, Where where = Where::current()) const;
  Tensor detach(Where where = Where::current()) const;
  Tensor exp(Where where = Where::current()) const;
  Tensor log(Where where = Where::current()) const;
  Tensor sqrt(Where where = Where::current()) const;
  Tensor relu(Where where = Where::current()) const;

  Tensor &operator+=(const Arg &other);
  Tensor &operator-=(const Arg &other);
  Tensor &operator*=(const Arg &other);
  Tensor &operator/=(const Arg &other);

  const std::shared_ptr<detail::TensorImpl> &impl() const { return impl_; }

private:
  std::shared_ptr<detail::TensorImpl> impl_;
};

/// A C++ number among an op's operands. It takes a tensor's type and never widens it.
struct Number {
  enum class Kind { boolean, integer, floating } kind = Kind::integer;
  double value = 0;
  int64_t whole = 0;
};

/// An operand of an op: a tensor or a number, and the place where the op was called.
class Arg {
public:
  Arg(const Tensor &tensor, Where where = Where::current()) : tensor(tensor), where(where) {}
  template <class T>
  requires std::is_arithmetic_v<T> Arg(T number, Where where = Where::current())
      : number{std::is_same_v<T, bool>       ? Number::Kind::boolean
               : std::is_floating_point_v<T> ? Number::Kind::floating
                                             : Number::Kind::integer,
               static_cast<double>(number), static_cast<int64_t>(number)},
        where(where) {}

  Tensor tensor; // without value: a number
  Number number;
  Where where;
};

Tensor operator+(const Arg &a, const Arg &b);
Tensor operator-(const Arg &a, const Arg &b);
Tensor operator*(const Arg &a, const Arg &b);
Tensor operator/(const Arg &a, const Arg &b); // true division: f32 of two integers
Tensor operator%(const Arg &a, const Arg &b); // remainder, with the divisor's sign
Tensor operator-(const Arg &x);
Tensor operator==(const Arg &a, const Arg &b);
Tensor operator!=(const Arg &a, const Arg &b);
Tensor operator<(const Arg &a, const Arg &b);
Tensor operator<=(const Arg &a, const Arg &b);
Tensor operator>(const Arg &a, const Arg &b);
Tensor operator>=(const Arg &a, const Arg &b);

} // namespace sinter
