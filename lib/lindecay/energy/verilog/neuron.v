// Datapaths of one neuron, our own, in plain Verilog-2001: decay alone and the whole
// update of the contract (decay, integrate, clamp, fire, reset by subtraction).
// B bits of membrane in two's complement; every module is combinational.

// beta V / 2^N to nearest, ties away from zero; beta comes from outside
module decay_beta #(parameter B = 10, parameter N = 8)
  (input signed [B-1:0] v, input [N-1:0] beta, output signed [B-1:0] y);
  wire s = v[B-1];
  wire [B-1:0] mag = s ? -v : v;
  wire [B+N-1:0] p = mag * beta + (1 << (N - 1));
  wire [B-1:0] r = p >> N;
  assign y = s ? -r : r;
endmodule

// the same, truncating towards minus infinity: one signed product, no rounding
module decay_beta_floor #(parameter B = 10, parameter N = 8)
  (input signed [B-1:0] v, input [N-1:0] beta, output signed [B-1:0] y);
  wire signed [B+N:0] p = v * $signed({1'b0, beta});
  assign y = p >>> N;
endmodule

// beta fixed when the chip is made: the tool turns the product into shifts and adds
module decay_const #(parameter B = 10, parameter N = 8, parameter BETA = 243)
  (input signed [B-1:0] v, output signed [B-1:0] y);
  wire s = v[B-1];
  wire [B-1:0] mag = s ? -v : v;
  wire [B+N-1:0] p = mag * BETA + (1 << (N - 1));
  wire [B-1:0] r = p >> N;
  assign y = s ? -r : r;
endmodule

// V - (V >> K), truncating
module decay_shift #(parameter B = 10, parameter K = 3)
  (input signed [B-1:0] v, output signed [B-1:0] y);
  assign y = v - (v >>> K);
endmodule

// sign(V) max(|V| - lambda, 0), 0 <= lambda <= V_max
module decay_shrink #(parameter B = 10)
  (input signed [B-1:0] v, input [B-2:0] lam, output signed [B-1:0] y);
  wire s = v[B-1];
  wire signed [B-1:0] d = {1'b0, lam} ^ {B{~s}};
  wire signed [B-1:0] t = v + d + {{(B-1){1'b0}}, ~s};
  assign y = (t[B-1] ^ s) ? {B{1'b0}} : t;
endmodule

// max(V - lambda, 0)
module decay_floor #(parameter B = 10)
  (input signed [B-1:0] v, input [B-2:0] lam, output signed [B-1:0] y);
  wire signed [B-1:0] t = v - $signed({1'b0, lam});
  assign y = (v[B-1] | t[B-1]) ? {B{1'b0}} : t;
endmodule

// V - lambda: one bit more, the clamp after integration holds it
module decay_drift #(parameter B = 10)
  (input signed [B-1:0] v, input [B-2:0] lam, output signed [B:0] y);
  assign y = v - $signed({1'b0, lam});
endmodule

// what follows every decay: add the input of A bits to D bits, clamp, fire, subtract
module rest #(parameter B = 10, parameter D = 10, parameter A = 13)
  (input signed [D-1:0] d, input signed [A-1:0] i, input [B-2:0] theta,
   output signed [B-1:0] y, output fired);
  wire signed [A:0] sum = d + i;
  wire over = (sum[A:B-1] != {(A-B+2){1'b0}}) & (sum[A:B-1] != {(A-B+2){1'b1}});
  wire signed [B-1:0] u = over ? {sum[A], {(B-1){~sum[A]}}} : sum[B-1:0];
  wire signed [B:0] above = u - $signed({2'b00, theta});
  assign fired = ~above[B] & (above != 0);
  assign y = fired ? above[B-1:0] : u;
endmodule

// the anchor: one addition, whose energy the table of constants gives
module adder #(parameter B = 8)
  (input signed [B-1:0] v, input signed [B-1:0] i, output signed [B-1:0] y);
  assign y = v + i;
endmodule
