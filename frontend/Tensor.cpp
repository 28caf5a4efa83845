#include "sinter/frontend/Tensor.h"

#include "sinter/frontend/Ops.h"
#include "sinter/frontend/detail/Variable.h"

#include <fmt/format.h>

namespace sinter {

const TensorSpec &Tensor::spec(Where where) const {
  if (!impl_) throw UserError("a tensor without a value (default-constructed)", where);
  return impl_->spec;
}

int64_t Tensor::rank(Where where) const { return static_cast<int64_t>(spec(where).shape.size()); }

int64_t Tensor::size(int64_t dim, Where where) const {
  int64_t place = dim < 0 ? dim + rank(where) : dim;
  if (place < 0 || place >= rank(where))
    throw UserError(fmt::format("size: dimension {} of {}", dim, spec(where).text()), where);
  return shape(where)[static_cast<size_t>(place)];
}

const std::string &Tensor::name() const {
  static const std::string none;
  return impl_ && impl_->variable ? impl_->variable->name : none;
}

Tensor Tensor::matmul(const Tensor &other, Where where) const {
  return sinter::matmul(*this, other, where);
}
Tensor Tensor::reshape(Shape shape, Where where) const {
  return sinter::reshape(*this, std::move(shape), where);
}
Tensor Tensor::flatten(int64_t start_dim, int64_t end_dim, Where where) const {
  return sinter::flatten(*this, start_dim, end_dim, where);
}
Tensor Tensor::permute(Dims dims, Where where) const {
  return sinter::permute(*this, std::move(dims), where);
}
Tensor Tensor::transpose(int64_t dim0, int64_t dim1, Where where) const {
  return sinter::transpose(*this, dim0, dim1, where);
}
Tensor Tensor::t(Where where) const { return sinter::t(*this, where); }
Tensor Tensor::sum(Dims dim, bool keepdim, Where where) const {
  return sinter::sum(*this, std::move(dim), keepdim, where);
}
Tensor Tensor::mean(Dims dim, bool keepdim, Where where) const {
  return sinter::mean(*this, std::move(dim), keepdim, where);
}
Tensor Tensor::argmax(std::optional<int64_t> dim, bool keepdim, Where where) const {
  return sinter::argmax(*this, dim, keepdim, where);
}
Tensor Tensor::to(DType dtype, Where where) const { return sinter::to(*this, dtype, where); }
Tensor Tensor::detach(Where where) const { return sinter::detach(*this, where); }
Tensor Tensor::exp(Where where) const { return sinter::exp(*this, where); }
Tensor Tensor::log(Where where) const { return sinter::log(*this, where); }
Tensor Tensor::sqrt(Where where) const { return sinter::sqrt(*this, where); }
Tensor Tensor::relu(Where where) const { return sinter::relu(*this, where); }

Tensor &Tensor::operator+=(const Arg &other) { return *this = add(Arg(*this, other.where), other); }
Tensor &Tensor::operator-=(const Arg &other) { return *this = sub(Arg(*this, other.where), other); }
Tensor &Tensor::operator*=(const Arg &other) { return *this = mul(Arg(*this, other.where), other); }
Tensor &Tensor::operator/=(const Arg &other) { return *this = div(Arg(*this, other.where), other); }

Tensor operator+(const Arg &a, const Arg &b) { return add(a, b); }
Tensor operator-(const Arg &a, const Arg &b) { return sub(a, b); }
Tensor operator*(const Arg &a, const Arg &b) { return mul(a, b); }
Tensor operator/(const Arg &a, const Arg &b) { return div(a, b); }
Tensor operator%(const Arg &a, const Arg &b) { return remainder(a, b); }
Tensor operator-(const Arg &x) { return neg(x.tensor, x.where); }
Tensor operator==(const Arg &a, const Arg &b) { return eq(a, b); }
Tensor operator!=(const Arg &a, const Arg &b) { return ne(a, b); }
Tensor operator<(const Arg &a, const Arg &b) { return lt(a, b); }
Tensor operator<=(const Arg &a, const Arg &b) { return le(a, b); }
Tensor operator>(const Arg &a, const Arg &b) { return gt(a, b); }
Tensor operator>=(const Arg &a, const Arg &b) { return ge(a, b); }

} // namespace sinter
