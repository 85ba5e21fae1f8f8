// For the testbench alone: events of one macro, by program, as the ledger counts them.
`include "language.vh"
module meter #(parameter COLS = 256, WIDE = 256, parameter [COLS-1:0] USED = 0) (
  input clk, run, pop, input [3:0] op, input [`LINE-1:0] line,
  input [COLS-1:0] bl_a, bl_b, old, fresh, G
);
  reg [47:0] cycles [0:15], reads [0:15], writes [0:15], adds [0:15], chosen [0:15];
  reg [47:0] falls [0:15], flips [0:15], zeros [0:15], sent [0:15], pops;
  reg [WIDE-1:0] mask [0:15];
  reg [COLS-1:0] seen;
  integer i, k;
  initial begin
    seen = 0;
    pops = 0;
    for (i = 0; i < 16; i = i + 1) begin
      cycles[i] = 0; reads[i] = 0; writes[i] = 0; adds[i] = 0; chosen[i] = 0;
      falls[i] = 0; flips[i] = 0; zeros[i] = 0; sent[i] = 0;
      for (k = 0; k < WIDE; k = k + 1) mask[i][k] = ~(k >> i);
    end
  end
  function [31:0] ones(input [COLS-1:0] x);
    reg [WIDE-1:0] v;
    begin
      v = x;
      for (k = 0; (1 << k) < WIDE; k = k + 1)
        v = (v & mask[k]) + ((v >> (1 << k)) & mask[k]);
      ones = v;
    end
  endfunction
  wire wa = line[`AT_A_ON] & line[`AT_A_SPACE] == `SPACE_W;
  wire wb = line[`AT_B_ON] & line[`AT_B_SPACE] == `SPACE_W;
  wire [COLS-1:0] held = seen | (wa ? bl_a : 0) | (wb ? bl_b : 0);
  always @(posedge clk) begin
    if (pop) pops = pops + 1;
    if (run) begin
      cycles[op] = cycles[op] + 1;
      reads[op] = reads[op] + line[`AT_A_ON] + line[`AT_B_ON];
      writes[op] = writes[op] + line[`AT_W_ON];
      adds[op] = adds[op] + (line[`AT_CARRY] != `CARRY_NONE);
      sent[op] = sent[op] + line[`AT_EMIT];
      falls[op] = falls[op] + ones(bl_a) + ones(bl_b);
      if (line[`AT_W_ON]) begin
        flips[op] = flips[op] + ones(old ^ fresh);
        chosen[op] = chosen[op] + ones(line[`AT_MASKED] ? G & USED : USED);
      end
      if (line[`AT_LAST]) begin
        zeros[op] = zeros[op] + ones(~held);
        seen <= 0;
      end else seen <= held;
    end
  end
endmodule
