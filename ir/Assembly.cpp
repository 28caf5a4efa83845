#include "sinter/ir/Assembly.h"

#include "sinter/ir/Segments.h"

using namespace mlir;

namespace sinter::ir {

static RankedTensorType booleansLike(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? tensor.clone(IntegerType::get(type.getContext(), 1)) : RankedTensorType();
}

// The types of operands and one result; `single` where only one was said.
static ParseResult parseTypes(OpAsmParser &parser, ArrayRef<Type *> operands, Type &result,
                              Type &single) {
  SMLoc place = parser.getCurrentLocation();
  Type type;
  if (parser.parseType(type)) return failure();
  auto function = dyn_cast<FunctionType>(type);
  if (!function) {
    if (!booleansLike(type)) return parser.emitError(place, "expected a tensor's type");
    single = type;
    return success();
  }
  if (function.getNumInputs() != operands.size() || function.getNumResults() != 1)
    return parser.emitError(place)
           << "expected the types of " << operands.size() << " operands and one result";
  for (auto [operand, input] : llvm::zip(operands, function.getInputs())) *operand = input;
  result = function.getResult(0);
  return success();
}

ParseResult parseBoolResult(OpAsmParser &parser, Type &lhs, Type &rhs, Type &result) {
  Type single;
  if (parseTypes(parser, {&lhs, &rhs}, result, single)) return failure();
  if (!single) return success();
  lhs = rhs = single;
  result = booleansLike(single);
  return success();
}

void printBoolResult(OpAsmPrinter &printer, Operation *op, Type lhs, Type rhs, Type result) {
  if (lhs == rhs && result == booleansLike(lhs))
    printer << lhs;
  else
    printer.printFunctionalType(op);
}

ParseResult parseChoice(OpAsmParser &parser, Type &condition, Type &onTrue, Type &onFalse,
                        Type &result) {
  Type single;
  if (parseTypes(parser, {&condition, &onTrue, &onFalse}, result, single)) return failure();
  if (!single) return success();
  onTrue = onFalse = result = single;
  condition = booleansLike(single);
  return success();
}

void printChoice(OpAsmPrinter &printer, Operation *op, Type condition, Type onTrue, Type onFalse,
                 Type result) {
  if (onTrue == onFalse && onTrue == result && condition == booleansLike(result))
    printer << result;
  else
    printer.printFunctionalType(op);
}

// --- Regions whose arguments are the op's operands and whose yielded values its results.

using Shapes = SmallVector<SmallVector<int64_t>>;

static ParseResult parseShapes(OpAsmParser &parser, Shapes &shapes) {
  return parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Square, [&] {
    return parser.parseDimensionList(shapes.emplace_back(), /*allowDynamic=*/false,
                                     /*withTrailingX=*/false);
  });
}

static void printShapes(OpAsmPrinter &printer, SegmentsOp segments) {
  printer << "over [";
  for (unsigned segment = 0; segment < segments.getCount(); ++segment) {
    if (segment) printer << ", ";
    llvm::interleave(segments.shapeOfSegment(segment), printer, "x");
  }
  printer << ']';
}

// The types of `ofRegion`, which are those of one segment, for all.
static ParseResult typesOf(OpAsmParser &parser, SMLoc place, const Shapes &shapes,
                           TypeRange ofRegion, SmallVectorImpl<Type> &all) {
  for (ArrayRef<int64_t> shape : shapes)
    for (Type type : ofRegion) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      if (!tensor) return parser.emitError(place, "a segment's values are tensors");
      all.push_back(RankedTensorType::get(shape, tensor.getElementType()));
    }
  return success();
}

// Puts a region of segments, which lies in `body`, into a sinter.segments on the arguments of a new region there.
static ParseResult wrapSegments(OpAsmParser &parser, SMLoc place, const Shapes &shapes,
                                size_t operands, Region &body) {
  SmallVector<Type> ofSegment(body.front().getArgumentTypes()), inputs, outputs;
  size_t count = shapes.size(), arguments = ofSegment.size();
  if (count < 2 || operands < arguments || (operands - arguments) % (count - 1) ||
      (operands - arguments) / (count - 1) > arguments)
    return parser.emitError(place)
           << operands << " operands of " << count << " segments do not fit the region's arguments";
  size_t shared = arguments - (operands - arguments) / (count - 1);
  inputs.assign(ofSegment.begin(), ofSegment.begin() + shared);
  Location loc = body.front().getTerminator()->getLoc();
  if (typesOf(parser, place, shapes, ArrayRef(ofSegment).drop_front(shared), inputs) ||
      typesOf(parser, place, shapes, body.front().getTerminator()->getOperandTypes(), outputs))
    return failure();
  Region inner;
  inner.takeBody(body);
  Block &block = body.emplaceBlock();
  for (Type type : inputs) block.addArgument(type, loc);
  OpBuilder builder(parser.getContext()); // no op has the region yet
  builder.setInsertionPointToEnd(&block);
  auto segments =
      SegmentsOp::create(builder, loc, outputs, ValueRange(block.getArguments().take_front(shared)),
                         ValueRange(block.getArguments().drop_front(shared)));
  segments.getBody().takeBody(inner);
  YieldOp::create(builder, loc, ValueRange(segments.getOutputs()));
  return success();
}

ParseResult FusedOp::parse(OpAsmParser &parser, OperationState &result) {
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  SMLoc place = parser.getCurrentLocation();
  Attribute schedule;
  Shapes shapes;
  if (parser.parseOperandList(operands, OpAsmParser::Delimiter::Paren) ||
      parser.parseKeyword("schedule") || parser.parseLParen() || parser.parseAttribute(schedule) ||
      parser.parseRParen() || parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  result.getOrAddProperties<Properties>().schedule = schedule;
  bool ofSegments = succeeded(parser.parseOptionalKeyword("over"));
  if (ofSegments && parseShapes(parser, shapes)) return failure();
  FunctionType types;
  if (succeeded(parser.parseOptionalColon()) && parser.parseType(types)) return failure();
  Region *body = result.addRegion();
  if (parser.parseRegion(*body)) return failure();
  ensureTerminator(*body, parser.getBuilder(), result.location);
  if (ofSegments && wrapSegments(parser, place, shapes, operands.size(), *body)) return failure();
  TypeRange inputs(body->front().getArgumentTypes()),
      outputs(body->front().getTerminator()->getOperandTypes());
  if (types) {
    inputs = types.getInputs();
    outputs = types.getResults();
  }
  result.addTypes(outputs);
  return parser.resolveOperands(operands, inputs, place, result.operands);
}

void FusedOp::print(OpAsmPrinter &printer) {
  printer << '(' << getInputs() << ") schedule(" << getSchedule() << ')';
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(), {getScheduleAttrName()});
  Block &block = getBody().front();
  if (TypeRange(block.getArgumentTypes()) != getInputs().getTypes() ||
      block.getTerminator()->getOperandTypes() != getOutputs().getTypes()) {
    printer << " : ";
    printer.printFunctionalType(*this);
  } else if (SegmentsOp segments = onlySegments(block)) {
    printer << ' ';
    printShapes(printer, segments);
    printer << ' ';
    printer.printRegion(segments.getBody());
    return;
  }
  printer << ' ';
  printer.printRegion(getBody());
}

ParseResult SegmentsOp::parse(OpAsmParser &parser, OperationState &result) {
  SmallVector<OpAsmParser::UnresolvedOperand> shared, inputs;
  Shapes shapes;
  SMLoc place = parser.getCurrentLocation();
  Region *body = result.addRegion();
  if (parser.parseOperandList(shared, OpAsmParser::Delimiter::Paren) || parser.parseKeyword("of") ||
      parser.parseOperandList(inputs, OpAsmParser::Delimiter::Paren) ||
      parser.parseKeyword("over") || parseShapes(parser, shapes) ||
      parser.parseOptionalAttrDictWithKeyword(result.attributes) || parser.parseRegion(*body))
    return failure();
  ensureTerminator(*body, parser.getBuilder(), result.location);
  Block &block = body->front();
  if (block.getNumArguments() < shared.size() ||
      inputs.size() != shapes.size() * (block.getNumArguments() - shared.size()))
    return parser.emitError(place) << inputs.size() << " inputs of " << shapes.size()
                                   << " segments do not fit the region's arguments";
  SmallVector<Type> types;
  auto arguments = llvm::to_vector(block.getArgumentTypes());
  if (typesOf(parser, place, shapes, ArrayRef(arguments).drop_front(shared.size()), types) ||
      typesOf(parser, place, shapes, block.getTerminator()->getOperandTypes(), result.types))
    return failure();
  result.getOrAddProperties<Properties>().operandSegmentSizes = {int32_t(shared.size()),
                                                                 int32_t(inputs.size())};
  if (parser
          .resolveOperands(shared, ArrayRef(arguments).take_front(shared.size()), place,
                           result.operands)
          .failed())
    return failure();
  return parser.resolveOperands(inputs, types, place, result.operands);
}

void SegmentsOp::print(OpAsmPrinter &printer) {
  printer << '(' << getShared() << ") of (" << getInputs() << ") ";
  printShapes(printer, *this);
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(), {getOperandSegmentSizesAttrName()});
  printer << ' ';
  printer.printRegion(getBody());
}

} // namespace sinter::ir
