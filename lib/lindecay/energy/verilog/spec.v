// What each decay must be, written as arithmetic on wide numbers: for Yosys' SAT alone.
// Divisions truncate towards zero, as Verilog's do.

module spec_beta #(parameter B = 8, parameter N = 8)
  (input signed [B-1:0] v, input [N-1:0] beta, output signed [B-1:0] y);
  wire signed [B+N+1:0] p = v * $signed({1'b0, beta});
  wire signed [B+N+1:0] q = p + (v < 0 ? -(1 << (N - 1)) : (1 << (N - 1)));
  assign y = q / (1 << N);
endmodule

module spec_beta_floor #(parameter B = 8, parameter N = 8)
  (input signed [B-1:0] v, input [N-1:0] beta, output signed [B-1:0] y);
  wire signed [B+N+1:0] p = v * $signed({1'b0, beta});
  assign y = (p - $signed({1'b0, p[N-1:0]})) / (1 << N);
endmodule

module spec_const #(parameter B = 8, parameter N = 8, parameter BETA = 230)
  (input signed [B-1:0] v, output signed [B-1:0] y);
  spec_beta #(.B(B), .N(N)) same (.v(v), .beta(BETA), .y(y));
endmodule

module spec_digits #(parameter B = 8, parameter N = 8, parameter PLUS = 1,
                     parameter MINUS = 0)
  (input signed [B-1:0] v, output signed [B-1:0] y);
  spec_const #(.B(B), .N(N), .BETA(PLUS - MINUS)) same (.v(v), .y(y));
endmodule

module spec_shift #(parameter B = 8, parameter K = 3)
  (input signed [B-1:0] v, output signed [B-1:0] y);
  wire signed [B+1:0] wide = v;
  assign y = wide - (wide - $signed({1'b0, v[K-1:0]})) / (1 << K);
endmodule

module spec_shift_round #(parameter B = 8, parameter K = 3)
  (input signed [B-1:0] v, output signed [B-1:0] y);
  wire signed [B+1:0] up = v + (1 << (K - 1));
  assign y = v - (up - $signed({1'b0, up[K-1:0]})) / (1 << K);
endmodule

module spec_shrink #(parameter B = 8)
  (input signed [B-1:0] v, input [B-2:0] lam, output signed [B-1:0] y);
  wire signed [B+1:0] wide = v, l = {3'b0, lam};
  assign y = wide > l ? wide - l : wide < -l ? wide + l : 0;
endmodule

module spec_floor #(parameter B = 8)
  (input signed [B-1:0] v, input [B-2:0] lam, output signed [B-1:0] y);
  wire signed [B+1:0] wide = v, l = {3'b0, lam};
  assign y = wide > l ? wide - l : 0;
endmodule

module spec_drift #(parameter B = 8)
  (input signed [B-1:0] v, input [B-2:0] lam, output signed [B:0] y);
  wire signed [B+1:0] wide = v, l = {3'b0, lam};
  assign y = wide - l;
endmodule

module spec_two #(parameter B = 8)
  (input signed [B-1:0] v, input [B-2:0] lam, input [B-2:0] lam2,
   output signed [B-1:0] y);
  wire large = v >= (1 << (B - 2)) | v < -(1 << (B - 2));
  spec_shrink #(.B(B)) same (.v(v), .lam(large ? lam2 : lam), .y(y));
endmodule

// shrink stays on its side of rest and never moves away from it
module spec_rest #(parameter B = 8)
  (input signed [B-1:0] v, input [B-2:0] lam, output ok);
  wire signed [B-1:0] y;
  decay_shrink #(.B(B)) one (.v(v), .lam(lam), .y(y));
  assign ok = v < 0 ? (y <= 0 & y >= v) : (y >= 0 & y <= v);
endmodule
