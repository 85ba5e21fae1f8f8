// Further decays, beside neuron.v.

// V - round(V / 2^K), ties up: V - (V >> K) - bit K-1 of V
module decay_shift_round #(parameter B = 10, parameter K = 3)
  (input signed [B-1:0] v, output signed [B-1:0] y);
  wire signed [B-1:0] s = v >>> K;
  assign y = v - s - $signed({1'b0, v[K-1]});
endmodule

// beta fixed, in canonical signed digits: beta = PLUS - MINUS, few ones in each
module decay_digits #(parameter B = 10, parameter N = 8,
                      parameter PLUS = 259, parameter MINUS = 16)
  (input signed [B-1:0] v, output signed [B-1:0] y);
  wire s = v[B-1];
  wire [B-1:0] mag = s ? -v : v;
  wire [B+N:0] p = mag * PLUS - mag * MINUS + (1 << (N - 1));
  wire [B-1:0] r = p >> N;
  assign y = s ? -r : r;
endmodule

// two slopes: lam2 takes over where the highest bit of |V| (in one's complement) is set
module decay_two #(parameter B = 10)
  (input signed [B-1:0] v, input [B-2:0] lam, input [B-2:0] lam2,
   output signed [B-1:0] y);
  wire s = v[B-1];
  wire [B-2:0] l = (v[B-2] ^ s) ? lam2 : lam;
  wire signed [B-1:0] d = {1'b0, l} ^ {B{~s}};
  wire signed [B-1:0] t = v + d + {{(B-1){1'b0}}, ~s};
  assign y = (t[B-1] ^ s) ? {B{1'b0}} : t;
endmodule
