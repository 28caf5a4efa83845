#pragma once

#include "sinter/codegen/contraction/PackedEmitter.h"

namespace sinter::codegen {

/// A packed contraction of bf16 by bf16 on a matrix unit (AMX), or by AVX-512's products of pairs, which want the same
/// panels (PairProducts.cpp): the units, the sums and what follows them
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
  void tiles() override;
  void wholeTiles(Value count, Value column, int64_t vectors) override;
  void registerTile(Value row, int64_t count, Value column, int64_t vectors) override;
  /// Row and column of a tile, from its number.
  using TilePlace = llvm::function_ref<std::pair<Value, Value>(Value)>;
  /// `fetch` gets a tile's row and column and k, and asks for what later tiles read.
  void tilesInTurn(Value count, int64_t most, int64_t vectors, TilePlace place,
                   llvm::function_ref<void(Value, Value, Value)> fetch);
  /// Whether tiles are multiplied as vectors of pairs: the machine has no registers for tiles.
  bool inPairs() const { return frame.options.matrix == "pairs"; }
  void multiplyPairs(Value row, int64_t count, Value column, int64_t vectors);
  void multiplyPairsOf(Value row, int64_t first, int64_t count, Value column, int64_t vectors);
  /// `beside` gets k, and emits what is done beside each step's products.
  void multiplyTiles(Value row, int64_t count, Value column, int64_t vectors,
                     llvm::function_ref<void(Value)> beside = nullptr);
  Value rowOperand();
  Value rowInPlace(Value row, int64_t r, Value k);
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
