#pragma once

#include "sinter/codegen/contraction/PackedEmitter.h"

namespace sinter::codegen {

/// A packed contraction of bf16 by bf16 on a matrix unit (AMX): the units, the sums and what follows them
/// are PackedEmitter's, the panels (TilePanels.cpp) and the products (TileProducts.cpp) are its own.
///
/// A tile of the row side is 16 rows of 32 elements of k, and its panel [row][k]. A tile of the column side is
/// 16 pairs of elements of k, each of 16 columns, and its panel [k / 2][column][2]. Both are filled up with
/// zeros to whole tiles of k: nothing times what memory held may become part of a sum.
class TileEmitter final : public PackedEmitter {
public:
  using PackedEmitter::PackedEmitter;

private:
  void allocatePanels() override;
  void packRows() override;
  void packColumns() override;
  void wholeTiles(Value count, Value column, int64_t vectors) override;
  void registerTile(Value row, int64_t count, Value column, int64_t vectors) override;
  void multiplyTiles(Value row, int64_t count, Value column, int64_t vectors);
  void finish(Value row, int64_t count, Value column, int64_t vectors);

  static constexpr int64_t tileK = 32;
  int64_t kSize() const; // of a block, in whole tiles
  Value kLength();       // of the block being emitted
  Value kInRows();
  bool kIsWhole() const; // every block is whole tiles

  /// One of the two elements of k in a pair: its indices, its offset in the block, and whether it exists
  /// (null: always).
  struct PairElement {
    Indices k;
    Value offset, exists;
  };
  using PlaceOf = llvm::function_ref<Value(int64_t)>;

  void packLine(llvm::function_ref<Value(Indices, Value)> element, bool inRuns, Value length,
                Value panel, Value at);
  Value boxElement(Indices row, Indices k, Value offset);
  void packRowPairs();
  void packColumnLines();
  std::array<PairElement, 2> pairOf(Value pair, Value length, bool firstExists);
  void putPair(const std::array<PairElement, 2> &pair,
               llvm::function_ref<Value(const PairElement &)> element, Value panel, Value at);
  Value pairAt(Value pair, Value column);
  void turn(Value from, PlaceOf fromAt, Value to, PlaceOf toAt);
  mlir::VectorType panelVector(int64_t lanes) {
    return mlir::VectorType::get(lanes, plan.panelType);
  }

  Value rowBoxPanel;
  Value columnLines, rowPairs; // of the layout that a panel is turned round from
  int64_t pairStride = 0;
};

} // namespace sinter::codegen
