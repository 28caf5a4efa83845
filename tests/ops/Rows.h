#pragma once

#include "OpTable.h"

#include <fmt/format.h>

/// What rows of the op table are written with.
namespace sinter::test {

inline const std::vector<std::string> floats{"f32", "f64", "bf16", "f16"};
inline const std::vector<std::string> numbers{"f32", "f64", "bf16", "f16", "i32", "i64", "ui8"};
inline const std::vector<std::string> elements{"f32", "f64", "bf16", "f16",
                                               "i32", "i64", "ui8",  "i1"};

/// Uniform in [low, high]; integers from that range, ui8 without its negative part; i1 at random.
Generator uniform(double low, double high);
/// Uniform, at least 1/8 away from every kink.
Generator awayFrom(std::vector<double> kinks, double low, double high);
/// Numbers of a shuffled ladder: any two are 1/16 or more apart, for maxima that rounding cannot turn.
Generator distinct();
/// The same number everywhere.
Generator fill(double value);
/// Numbers that repeat, so that extremes tie.
Generator ties();

OpInput in(const std::string &shape, Generator numbers);
/// Not differentiable: an index, a mask, a statistic.
OpInput fixed(const std::string &shape, const std::string &element, Generator numbers);

/// One op on all inputs in generic form; result types as "4x5xT".
OpCase call(const std::string &name, const std::string &op, const std::string &attributes,
            std::vector<OpInput> inputs, const std::vector<std::string> &results,
            size_t gradientResults = 0);

/// Shapes that elementwise ops are tried on: rank 0, single elements, sizes no vector width divides.
const std::vector<std::string> &elementwiseShapes();
OpRow unaryRow(const std::string &op, const std::vector<std::string> &dtypes, Generator numbers,
               bool differentiable, const std::string &attributes = "");
OpRow binaryRow(const std::string &op, const std::vector<std::string> &dtypes, Generator left,
                Generator right, bool differentiable);

void addElementwiseRows(std::vector<OpRow> &table);
void addShapeRows(std::vector<OpRow> &table);
void addReductionRows(std::vector<OpRow> &table);
void addContractionRows(std::vector<OpRow> &table);
void addRandomRows(std::vector<OpRow> &table);
void addNnRows(std::vector<OpRow> &table);
void addAttentionRows(std::vector<OpRow> &table);

} // namespace sinter::test
