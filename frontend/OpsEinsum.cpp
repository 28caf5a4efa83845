#include "sinter/frontend/detail/Emitter.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

// einsum as transposes, reshapes, one product for each operand after the first, and sums.

namespace sinter {

using detail::Emitter;

namespace {

/// A tensor whose dimensions are letters.
struct Lettered {
  Tensor tensor;
  std::string letters;
  bool has(char letter) const { return letters.find(letter) != std::string::npos; }
};

class Einsum {
public:
  Einsum(const std::string &equation, const std::vector<Tensor> &operands, Where where)
      : where(where) {
    parse(equation, operands);
  }

  Tensor run() {
    Lettered result = operands.front();
    for (size_t i = 1; i <= operands.size(); ++i) {
      std::string later = output;
      for (size_t j = i; j < operands.size(); ++j) later += operands[j].letters;
      result = summed(result, later);
      if (i == operands.size()) break;
      std::string beyond = output;
      for (size_t j = i + 1; j < operands.size(); ++j) beyond += operands[j].letters;
      Lettered right = summed(operands[i], result.letters + beyond);
      result = product(result, right, beyond);
    }
    return ordered(result, output).tensor;
  }

private:
  [[noreturn]] void fail(const std::string &message) const {
    throw UserError("einsum: " + message, where);
  }

  void parse(const std::string &equation, const std::vector<Tensor> &tensors) {
    std::string text;
    for (char c : equation)
      if (c != ' ') text += c;
    size_t arrow = text.find("->");
    std::string left = text.substr(0, arrow);
    std::vector<std::string> terms{""};
    for (char c : left)
      if (c == ',')
        terms.emplace_back();
      else if (std::isalpha(static_cast<unsigned char>(c)))
        terms.back() += c;
      else
        fail(fmt::format("'{}' in '{}' is no letter", c, equation));
    if (terms.size() != tensors.size())
      fail(fmt::format("'{}' names {} operands, {} are given", equation, terms.size(),
                       tensors.size()));
    std::map<char, int> times;
    for (size_t i = 0; i < terms.size(); ++i) {
      const Tensor &tensor = tensors[i];
      if (static_cast<size_t>(tensor.rank(where)) != terms[i].size())
        fail(fmt::format("operand {} is {}, '{}' has {} letters", i, tensor.spec().text(), terms[i],
                         terms[i].size()));
      for (size_t d = 0; d < terms[i].size(); ++d) {
        char letter = terms[i][d];
        ++times[letter];
        auto [known, isNew] = sizes.emplace(letter, tensor.shape()[d]);
        if (!isNew && known->second != tensor.shape()[d])
          fail(fmt::format("'{}' is {} and {}", letter, known->second, tensor.shape()[d]));
      }
      operands.push_back(withoutRepeats({tensor, terms[i]}));
    }
    if (arrow == std::string::npos) {
      for (auto [letter, count] : times)
        if (count == 1) output += letter;
      return;
    }
    output = text.substr(arrow + 2);
    for (char letter : output)
      if (!times.count(letter) || std::count(output.begin(), output.end(), letter) > 1)
        fail(fmt::format("'{}' of the result is unknown or named twice", letter));
  }

  /// The diagonal of dimensions that have one letter.
  Lettered withoutRepeats(Lettered x) const {
    for (size_t d = 0; d < x.letters.size(); ++d) {
      size_t other = x.letters.find(x.letters[d], d + 1);
      if (other == std::string::npos) continue;
      int64_t size = x.tensor.shape()[d];
      std::vector<int64_t> order;
      for (size_t i = 0; i < x.letters.size(); ++i)
        if (i != d && i != other) order.push_back(static_cast<int64_t>(i));
      Shape shape;
      for (int64_t i : order) shape.push_back(x.tensor.shape()[i]);
      order.push_back(static_cast<int64_t>(d));
      order.push_back(static_cast<int64_t>(other));
      shape.push_back(size * size);
      Tensor flat = reshape(permute(x.tensor, order, where), shape, where);
      flat = slice(flat, -1, 0, {}, size + 1, where);
      std::string letters;
      for (size_t i = 0; i + 2 < order.size(); ++i) letters += x.letters[order[i]];
      return withoutRepeats({flat, letters + x.letters[d]});
    }
    return x;
  }

  /// Without the dimensions that nothing `later` names.
  Lettered summed(Lettered x, const std::string &later) const {
    std::vector<int64_t> dims;
    std::string kept;
    for (size_t d = 0; d < x.letters.size(); ++d)
      if (later.find(x.letters[d]) == std::string::npos)
        dims.push_back(static_cast<int64_t>(d));
      else
        kept += x.letters[d];
    if (dims.empty()) return x;
    return {sum(x.tensor, dims, false, where), kept};
  }

  Lettered ordered(const Lettered &x, const std::string &letters) const {
    std::vector<int64_t> order;
    for (char letter : letters) order.push_back(static_cast<int64_t>(x.letters.find(letter)));
    return {permute(x.tensor, order, where), letters};
  }

  Shape shapeOf(const std::string &letters) const {
    Shape shape;
    for (char letter : letters) shape.push_back(sizes.at(letter));
    return shape;
  }
  int64_t count(const std::string &letters) const {
    int64_t product = 1;
    for (char letter : letters) product *= sizes.at(letter);
    return product;
  }

  /// Letters of both that are named beyond are a batch, the others of both are summed.
  Lettered product(const Lettered &a, const Lettered &b, const std::string &beyond) const {
    std::string batch, inner, rows, columns;
    for (char letter : a.letters)
      if (!b.has(letter))
        rows += letter;
      else if (beyond.find(letter) != std::string::npos)
        batch += letter;
      else
        inner += letter;
    for (char letter : b.letters)
      if (!a.has(letter)) columns += letter;
    std::string letters = batch + rows + columns;
    if (inner.empty()) { // nothing is summed: elements are multiplied
      Shape left = shapeOf(batch + rows), right = shapeOf(batch);
      left.insert(left.end(), columns.size(), 1);
      right.insert(right.end(), rows.size(), 1);
      for (char letter : columns) right.push_back(sizes.at(letter));
      Tensor first = reshape(ordered(a, batch + rows).tensor, left, where);
      Tensor second = reshape(ordered(b, batch + columns).tensor, right, where);
      return {mul(Arg(first, where), Arg(second, where)), letters};
    }
    auto matrix = [&](const Lettered &x, const std::string &first, const std::string &second) {
      Shape shape;
      if (!batch.empty()) shape.push_back(count(batch));
      shape.push_back(count(first));
      shape.push_back(count(second));
      return reshape(ordered(x, batch + first + second).tensor, shape, where);
    };
    Tensor made = matmul(matrix(a, rows, inner), matrix(b, inner, columns), where);
    return {reshape(made, shapeOf(letters), where), letters};
  }

  Where where;
  std::vector<Lettered> operands;
  std::string output;
  std::map<char, int64_t> sizes;
};

} // namespace

Tensor einsum(const std::string &equation, const std::vector<Tensor> &operands, Where where) {
  if (operands.empty()) throw UserError("einsum: no operands", where);
  return Einsum(equation, operands, where).run();
}

} // namespace sinter
