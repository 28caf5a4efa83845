// Attention and its gradient in the sizes that models have, short and long: none of its kernels may spill.
func.func @attention1(%q: tensor<2x4x128x64xf32>, %k: tensor<2x4x128x64xf32>, %v: tensor<2x4x128x64xf32>, %g: tensor<2x4x128x64xf32>, %d: tensor<2x4x128xf32>) -> (tensor<2x4x128x64xf32>, tensor<2x4x128xf32>, tensor<2x4x128x64xf32>, tensor<2x4x128x64xf32>, tensor<2x4x128x64xf32>) {
  %r:2 = sinter.attention %q, %k, %v {scale = 0.125 : f64} : (tensor<2x4x128x64xf32>, tensor<2x4x128x64xf32>, tensor<2x4x128x64xf32>) -> (tensor<2x4x128x64xf32>, tensor<2x4x128xf32>)
  %b:3 = sinter.attention_backward %g, %q, %k, %v, %r#1, %d {scale = 0.125 : f64} : (tensor<2x4x128x64xf32>, tensor<2x4x128x64xf32>, tensor<2x4x128x64xf32>, tensor<2x4x128x64xf32>, tensor<2x4x128xf32>, tensor<2x4x128xf32>) -> (tensor<2x4x128x64xf32>, tensor<2x4x128x64xf32>, tensor<2x4x128x64xf32>)
  return %r#0, %r#1, %b#0, %b#1, %b#2 : tensor<2x4x128x64xf32>, tensor<2x4x128xf32>, tensor<2x4x128x64xf32>, tensor<2x4x128x64xf32>, tensor<2x4x128x64xf32>
}

func.func @attention2(%q: tensor<1x4x1024x128xf32>, %k: tensor<1x2x1024x128xf32>, %v: tensor<1x2x1024x128xf32>, %g: tensor<1x4x1024x128xf32>, %d: tensor<1x4x1024xf32>) -> (tensor<1x4x1024x128xf32>, tensor<1x4x1024xf32>, tensor<1x4x1024x128xf32>, tensor<1x2x1024x128xf32>, tensor<1x2x1024x128xf32>) {
  %r:2 = sinter.attention %q, %k, %v {scale = 0.08838834764831845 : f64, is_causal = true} : (tensor<1x4x1024x128xf32>, tensor<1x2x1024x128xf32>, tensor<1x2x1024x128xf32>) -> (tensor<1x4x1024x128xf32>, tensor<1x4x1024xf32>)
  %b:3 = sinter.attention_backward %g, %q, %k, %v, %r#1, %d {scale = 0.08838834764831845 : f64, is_causal = true} : (tensor<1x4x1024x128xf32>, tensor<1x4x1024x128xf32>, tensor<1x2x1024x128xf32>, tensor<1x2x1024x128xf32>, tensor<1x4x1024xf32>, tensor<1x4x1024xf32>) -> (tensor<1x4x1024x128xf32>, tensor<1x2x1024x128xf32>, tensor<1x2x1024x128xf32>)
  return %r#0, %r#1, %b#0, %b#1, %b#2 : tensor<1x4x1024x128xf32>, tensor<1x4x1024xf32>, tensor<1x4x1024x128xf32>, tensor<1x2x1024x128xf32>, tensor<1x2x1024x128xf32>
}

func.func @attention3(%q: tensor<2x4x200x64xf32>, %k: tensor<2x2x333x64xf32>, %v: tensor<2x2x333x48xf32>, %g: tensor<2x4x200x48xf32>, %d: tensor<2x4x200xf32>, %m: tensor<2x1x1x333xi1>, %seed: tensor<i64>, %step: tensor<i64>) -> (tensor<2x4x200x48xf32>, tensor<2x4x200xf32>, tensor<2x4x200x64xf32>, tensor<2x2x333x64xf32>, tensor<2x2x333x48xf32>) {
  %r:2 = sinter.attention %q, %k, %v mask %m seed %seed step %step {scale = 0.125 : f64, p = 0.1 : f64, stream = 7 : i64} : (tensor<2x4x200x64xf32>, tensor<2x2x333x64xf32>, tensor<2x2x333x48xf32>, tensor<2x1x1x333xi1>, tensor<i64>, tensor<i64>) -> (tensor<2x4x200x48xf32>, tensor<2x4x200xf32>)
  %b:3 = sinter.attention_backward %g, %q, %k, %v, %r#1, %d mask %m seed %seed step %step {scale = 0.125 : f64, p = 0.1 : f64, stream = 7 : i64} : (tensor<2x4x200x48xf32>, tensor<2x4x200x64xf32>, tensor<2x2x333x64xf32>, tensor<2x2x333x48xf32>, tensor<2x4x200xf32>, tensor<2x4x200xf32>, tensor<2x1x1x333xi1>, tensor<i64>, tensor<i64>) -> (tensor<2x4x200x64xf32>, tensor<2x2x333x64xf32>, tensor<2x2x333x48xf32>)
  return %r#0, %r#1, %b#0, %b#1, %b#2 : tensor<2x4x200x48xf32>, tensor<2x4x200xf32>, tensor<2x4x200x64xf32>, tensor<2x2x333x64xf32>, tensor<2x2x333x48xf32>
}

func.func @attention4(%q: tensor<1x2x130x256xf32>, %k: tensor<1x2x70x256xf32>, %v: tensor<1x2x70x256xf32>, %g: tensor<1x2x130x256xf32>, %d: tensor<1x2x130xf32>) -> (tensor<1x2x130x256xf32>, tensor<1x2x130xf32>, tensor<1x2x130x256xf32>, tensor<1x2x70x256xf32>, tensor<1x2x70x256xf32>) {
  %r:2 = sinter.attention %q, %k, %v {scale = 0.0625 : f64, is_causal = true} : (tensor<1x2x130x256xf32>, tensor<1x2x70x256xf32>, tensor<1x2x70x256xf32>) -> (tensor<1x2x130x256xf32>, tensor<1x2x130xf32>)
  %b:3 = sinter.attention_backward %g, %q, %k, %v, %r#1, %d {scale = 0.0625 : f64, is_causal = true} : (tensor<1x2x130x256xf32>, tensor<1x2x130x256xf32>, tensor<1x2x70x256xf32>, tensor<1x2x70x256xf32>, tensor<1x2x130xf32>, tensor<1x2x130xf32>) -> (tensor<1x2x130x256xf32>, tensor<1x2x70x256xf32>, tensor<1x2x70x256xf32>)
  return %r#0, %r#1, %b#0, %b#1, %b#2 : tensor<1x2x130x256xf32>, tensor<1x2x130xf32>, tensor<1x2x130x256xf32>, tensor<1x2x70x256xf32>, tensor<1x2x70x256xf32>
}

func.func @attention5(%q: tensor<1x4x1024x32xbf16>, %k: tensor<1x2x1024x32xbf16>, %v: tensor<1x2x1024x32xbf16>, %g: tensor<1x4x1024x32xbf16>, %d: tensor<1x4x1024xf32>) -> (tensor<1x4x1024x32xbf16>, tensor<1x4x1024xf32>, tensor<1x4x1024x32xbf16>, tensor<1x2x1024x32xbf16>, tensor<1x2x1024x32xbf16>) {
  %r:2 = sinter.attention %q, %k, %v {scale = 0.1767766952966369 : f64, is_causal = true} : (tensor<1x4x1024x32xbf16>, tensor<1x2x1024x32xbf16>, tensor<1x2x1024x32xbf16>) -> (tensor<1x4x1024x32xbf16>, tensor<1x4x1024xf32>)
  %b:3 = sinter.attention_backward %g, %q, %k, %v, %r#1, %d {scale = 0.1767766952966369 : f64, is_causal = true} : (tensor<1x4x1024x32xbf16>, tensor<1x4x1024x32xbf16>, tensor<1x2x1024x32xbf16>, tensor<1x2x1024x32xbf16>, tensor<1x4x1024xf32>, tensor<1x4x1024xf32>) -> (tensor<1x4x1024x32xbf16>, tensor<1x2x1024x32xbf16>, tensor<1x2x1024x32xbf16>)
  return %r#0, %r#1, %b#0, %b#1, %b#2 : tensor<1x4x1024x32xbf16>, tensor<1x4x1024xf32>, tensor<1x4x1024x32xbf16>, tensor<1x2x1024x32xbf16>, tensor<1x2x1024x32xbf16>
}

func.func @attention6(%q: tensor<2x4x128x64xbf16>, %k: tensor<2x4x128x64xbf16>, %v: tensor<2x4x128x64xbf16>, %g: tensor<2x4x128x64xbf16>, %d: tensor<2x4x128xf32>) -> (tensor<2x4x128x64xbf16>, tensor<2x4x128xf32>, tensor<2x4x128x64xbf16>, tensor<2x4x128x64xbf16>, tensor<2x4x128x64xbf16>) {
  %r:2 = sinter.attention %q, %k, %v {scale = 0.125 : f64} : (tensor<2x4x128x64xbf16>, tensor<2x4x128x64xbf16>, tensor<2x4x128x64xbf16>) -> (tensor<2x4x128x64xbf16>, tensor<2x4x128xf32>)
  %b:3 = sinter.attention_backward %g, %q, %k, %v, %r#1, %d {scale = 0.125 : f64} : (tensor<2x4x128x64xbf16>, tensor<2x4x128x64xbf16>, tensor<2x4x128x64xbf16>, tensor<2x4x128x64xbf16>, tensor<2x4x128xf32>, tensor<2x4x128xf32>) -> (tensor<2x4x128x64xbf16>, tensor<2x4x128x64xbf16>, tensor<2x4x128x64xbf16>)
  return %r#0, %r#1, %b#0, %b#1, %b#2 : tensor<2x4x128x64xbf16>, tensor<2x4x128xf32>, tensor<2x4x128x64xbf16>, tensor<2x4x128x64xbf16>, tensor<2x4x128x64xbf16>
}

func.func @attention7(%q: tensor<1x4x1024x128xbf16>, %k: tensor<1x2x1024x128xbf16>, %v: tensor<1x2x1024x128xbf16>, %g: tensor<1x4x1024x128xbf16>, %d: tensor<1x4x1024xf32>) -> (tensor<1x4x1024x128xbf16>, tensor<1x4x1024xf32>, tensor<1x4x1024x128xbf16>, tensor<1x2x1024x128xbf16>, tensor<1x2x1024x128xbf16>) {
  %r:2 = sinter.attention %q, %k, %v {scale = 0.08838834764831845 : f64, is_causal = true} : (tensor<1x4x1024x128xbf16>, tensor<1x2x1024x128xbf16>, tensor<1x2x1024x128xbf16>) -> (tensor<1x4x1024x128xbf16>, tensor<1x4x1024xf32>)
  %b:3 = sinter.attention_backward %g, %q, %k, %v, %r#1, %d {scale = 0.08838834764831845 : f64, is_causal = true} : (tensor<1x4x1024x128xbf16>, tensor<1x4x1024x128xbf16>, tensor<1x2x1024x128xbf16>, tensor<1x2x1024x128xbf16>, tensor<1x4x1024xf32>, tensor<1x4x1024xf32>) -> (tensor<1x4x1024x128xbf16>, tensor<1x2x1024x128xbf16>, tensor<1x2x1024x128xbf16>)
  return %r#0, %r#1, %b#0, %b#1, %b#2 : tensor<1x4x1024x128xbf16>, tensor<1x4x1024xf32>, tensor<1x4x1024x128xbf16>, tensor<1x2x1024x128xbf16>, tensor<1x2x1024x128xbf16>
}

func.func @attention8(%q: tensor<2x4x200x64xbf16>, %k: tensor<2x2x333x64xbf16>, %v: tensor<2x2x333x48xbf16>, %g: tensor<2x4x200x48xbf16>, %d: tensor<2x4x200xf32>, %m: tensor<2x1x1x333xi1>, %seed: tensor<i64>, %step: tensor<i64>) -> (tensor<2x4x200x48xbf16>, tensor<2x4x200xf32>, tensor<2x4x200x64xbf16>, tensor<2x2x333x64xbf16>, tensor<2x2x333x48xbf16>) {
  %r:2 = sinter.attention %q, %k, %v mask %m seed %seed step %step {scale = 0.125 : f64, p = 0.1 : f64, stream = 7 : i64} : (tensor<2x4x200x64xbf16>, tensor<2x2x333x64xbf16>, tensor<2x2x333x48xbf16>, tensor<2x1x1x333xi1>, tensor<i64>, tensor<i64>) -> (tensor<2x4x200x48xbf16>, tensor<2x4x200xf32>)
  %b:3 = sinter.attention_backward %g, %q, %k, %v, %r#1, %d mask %m seed %seed step %step {scale = 0.125 : f64, p = 0.1 : f64, stream = 7 : i64} : (tensor<2x4x200x48xbf16>, tensor<2x4x200x64xbf16>, tensor<2x2x333x64xbf16>, tensor<2x2x333x48xbf16>, tensor<2x4x200xf32>, tensor<2x4x200xf32>, tensor<2x1x1x333xi1>, tensor<i64>, tensor<i64>) -> (tensor<2x4x200x64xbf16>, tensor<2x2x333x64xbf16>, tensor<2x2x333x48xbf16>)
  return %r#0, %r#1, %b#0, %b#1, %b#2 : tensor<2x4x200x48xbf16>, tensor<2x4x200xf32>, tensor<2x4x200x64xbf16>, tensor<2x2x333x64xbf16>, tensor<2x2x333x48xbf16>
}

func.func @attention9(%q: tensor<1x4x300x80xf16>, %k: tensor<1x2x300x80xf16>, %v: tensor<1x2x300x72xf16>, %g: tensor<1x4x300x72xf16>, %d: tensor<1x4x300xf32>, %m: tensor<1x4x300x300xf16>, %seed: tensor<i64>, %step: tensor<i64>) -> (tensor<1x4x300x72xf16>, tensor<1x4x300xf32>, tensor<1x4x300x80xf16>, tensor<1x2x300x80xf16>, tensor<1x2x300x72xf16>) {
  %r:2 = sinter.attention %q, %k, %v mask %m seed %seed step %step {scale = 0.11180339887498948 : f64, is_causal = true, p = 0.1 : f64, stream = 7 : i64} : (tensor<1x4x300x80xf16>, tensor<1x2x300x80xf16>, tensor<1x2x300x72xf16>, tensor<1x4x300x300xf16>, tensor<i64>, tensor<i64>) -> (tensor<1x4x300x72xf16>, tensor<1x4x300xf32>)
  %b:3 = sinter.attention_backward %g, %q, %k, %v, %r#1, %d mask %m seed %seed step %step {scale = 0.11180339887498948 : f64, is_causal = true, p = 0.1 : f64, stream = 7 : i64} : (tensor<1x4x300x72xf16>, tensor<1x4x300x80xf16>, tensor<1x2x300x80xf16>, tensor<1x2x300x72xf16>, tensor<1x4x300xf32>, tensor<1x4x300xf32>, tensor<1x4x300x300xf16>, tensor<i64>, tensor<i64>) -> (tensor<1x4x300x80xf16>, tensor<1x2x300x80xf16>, tensor<1x2x300x72xf16>)
  return %r#0, %r#1, %b#0, %b#1, %b#2 : tensor<1x4x300x72xf16>, tensor<1x4x300xf32>, tensor<1x4x300x80xf16>, tensor<1x2x300x80xf16>, tensor<1x2x300x72xf16>
}
