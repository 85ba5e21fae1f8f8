// Remedies of a linear decay as words of logic, beside energy/verilog. Far: |V| >= 2^K,
// as the tag sees it (a bit from K up differs from the sign).

// two slopes: V -+ 2^S lam where far, then the linear decay; lam <= 2^(K-S)
module remedy_slopes #(parameter B = 10, parameter K = 4, parameter S = 2)
  (input signed [B-1:0] v, input [B-2:0] lam, output signed [B-1:0] y);
  wire s = v[B-1];
  wire far = |(v[B-2:K] ^ {(B-1-K){s}});
  wire [B-2:0] steep = far ? (lam << S) : {(B-1){1'b0}};
  wire signed [B-1:0] d = {1'b0, steep} ^ {B{~s}};
  wire signed [B-1:0] u = v + d + {{(B-1){1'b0}}, ~s};
  wire z = u[B-1];
  wire signed [B-1:0] e = {1'b0, lam} ^ {B{~z}};
  wire signed [B-1:0] t = u + e + {{(B-1){1'b0}}, ~z};
  assign y = (t[B-1] ^ z) ? {B{1'b0}} : t;
endmodule

// a floor above rest: V -+ lam where far, V else; lam <= 2^K
module remedy_above #(parameter B = 10, parameter K = 4)
  (input signed [B-1:0] v, input [B-2:0] lam, output signed [B-1:0] y);
  wire s = v[B-1];
  wire far = |(v[B-2:K] ^ {(B-1-K){s}});
  wire [B-2:0] l = far ? lam : {(B-1){1'b0}};
  wire signed [B-1:0] d = {1'b0, l} ^ {B{~s}};
  assign y = v + d + {{(B-1){1'b0}}, ~s};
endmodule
