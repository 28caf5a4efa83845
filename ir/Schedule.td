#ifndef SINTER_IR_SCHEDULE
#define SINTER_IR_SCHEDULE

include "sinter/ir/Base.td"

// Where a module is going: the only place from which limits are read. Passes name no architecture.
def Sinter_TargetAttr : AttrDef<Sinter_Dialect, "Target"> {
  let mnemonic = "target";
  let summary = "Limits of the machine that a module is compiled for (module attribute sinter.target)";
  let parameters = (ins
    StringRefParameter<"\"cpu\" or \"cuda\"">:$kind,
    StringRefParameter<"\"amx\", \"avx512_bf16\", \"avx512\", \"avx2\", \"generic\"; \"sm_80\", ...">:$isa,
    DefaultValuedParameter<"int64_t", "16">:$vectorBytes,      // bytes of one vector register or widest access
    DefaultValuedParameter<"int64_t", "32768">:$l1Bytes,
    DefaultValuedParameter<"int64_t", "1048576">:$l2Bytes,
    DefaultValuedParameter<"int64_t", "49152">:$sharedBytes,   // of one block, GPU only
    DefaultValuedParameter<"int64_t", "1024">:$maxThreads,     // of one block, GPU only
    DefaultValuedParameter<"int64_t", "0">:$largeSharedBytes,  // of a block whose launch asks for more, GPU only
    // "m16n8k16": products of a warp, bf16 and f16 into f32, fed by asynchronous copies; "m64nNk16": also those of a
    // warpgroup, fed from shared memory by bulk tensor copies; with "+tf32": f32 too, its factors rounded to tf32.
    StringRefParameter<"what the matrix unit multiplies, see Machine.h", "\"none\"">:$matrix);
  let assemblyFormat = "`<` struct(params) `>`";
}

// The physical order of a tensor (the encoding of its type). Absent: row-major. Dimensions are listed
// outermost first; a dimension may be split: `blocks[i]` > 1 puts that many neighbours of dimension i
// innermost, in the order of `order`. `padding[i]` elements are added at the end of dimension i.
def Sinter_LayoutAttr : AttrDef<Sinter_Dialect, "Layout"> {
  let mnemonic = "layout";
  let summary = "Physical order, blocks and padding of a tensor";
  let parameters = (ins ArrayRefParameter<"int64_t">:$order,
                        OptionalArrayRefParameter<"int64_t">:$blocks,
                        OptionalArrayRefParameter<"int64_t">:$padding);
  let assemblyFormat = "`<` `[` $order `]` (`,` `blocks` `=` `[` $blocks^ `]`)? (`,` `padding` `=` `[` $padding^ `]`)? `>`";
  let genVerifyDecl = 1;
}

// One schedule attribute per kind of kernel. What each kind accepts is decided in KernelKinds.h.
class Sinter_Schedule<string name, string word> : AttrDef<Sinter_Dialect, name # "Schedule"> {
  let mnemonic = word;
  let assemblyFormat = "(`<` struct(params)^ `>`)?";
}
class Sinter_LoopSchedule<string name, string word> : Sinter_Schedule<name, word> {
  let parameters = (ins
    DefaultValuedParameter<"int64_t", "1">:$vector,    // elements a lane handles at once
    DefaultValuedParameter<"int64_t", "256">:$threads); // threads of a block, GPU only
}
def Sinter_PointwiseSchedule : Sinter_LoopSchedule<"Pointwise", "pointwise"> {
  let summary = "One loop nest over a shape; every output has its number of elements";
}
def Sinter_ReductionSchedule : Sinter_LoopSchedule<"Reduction", "reduction"> {
  let summary = "Reductions of one shape over the same dimensions, with producers and a pointwise end";
}
def Sinter_RowSchedule : Sinter_LoopSchedule<"Row", "row"> {
  let summary = "Whole rows: several passes over the same reduced dimensions with pointwise code between";
}
def Sinter_ScatterSchedule : Sinter_LoopSchedule<"Scatter", "scatter"> {
  let summary = "One scatter-add with its producers; additions in index order";
}
def Sinter_UpdateSchedule : Sinter_LoopSchedule<"Update", "update"> {
  let summary = "Independent pointwise nests of several shapes in one launch (a whole optimiser update)";
}
def Sinter_ContractionSchedule : Sinter_Schedule<"Contraction", "contraction"> {
  let summary = "One contraction, producers in its loads, pointwise code on its result";
  let parameters = (ins
    DefaultValuedParameter<"int64_t", "64">:$tileM, DefaultValuedParameter<"int64_t", "64">:$tileN,
    DefaultValuedParameter<"int64_t", "16">:$tileK, DefaultValuedParameter<"int64_t", "1">:$splitK,
    DefaultValuedParameter<"int64_t", "256">:$threads,
    // By the target's matrix unit, with this many tiles on their way; 0: by ordinary arithmetic. GPU only.
    DefaultValuedParameter<"int64_t", "0">:$stages);
}
def Sinter_AttentionSchedule : AttrDef<Sinter_Dialect, "AttentionSchedule"> {
  let mnemonic = "attention";
  let summary = "One attention or its gradient, with producers in its loads";
}
def Sinter_StagedSchedule : AttrDef<Sinter_Dialect, "StagedSchedule"> {
  let mnemonic = "staged";
  let summary = "Small kernels one after the other in one launch, on one thread: a region of sinter.fused ops";
}
def Sinter_ScanSchedule : AttrDef<Sinter_Dialect, "ScanSchedule"> {
  let mnemonic = "scan";
  let summary = "One sinter.scan: the launches of its step's function, run again and again";
}
def Sinter_CustomSchedule : Sinter_Schedule<"Custom", "custom"> {
  let summary = "A kernel brought by a plug-in: CUDA text and a CPU body under one name";
  let parameters = (ins StringRefParameter<>:$name);
  let assemblyFormat = "`<` $name `>`";
}

#endif
