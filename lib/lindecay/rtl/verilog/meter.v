// For the testbench alone: events of one macro, by program, as the ledger counts them.
`include "language.vh"
module meter #(parameter COLS = 256, WIDE = 256, parameter [COLS-1:0] USED = 0) (
  input clk, run, pop, input [3:0] op, input [`LINE-1:0] line,
  input [COLS-1:0] bl_a, bl_b, old, fresh, G
);
  localparam DEEP = 24;                  // bits of a column's own count
  reg [47:0] cycles [0:15], reads [0:15], writes [0:15], adds [0:15], sent [0:15], pops;
  reg [COLS-1:0] fall [0:16*DEEP-1], flip [0:16*DEEP-1];
  reg [COLS-1:0] pick [0:16*DEEP-1], none [0:16*DEEP-1];
  reg [WIDE-1:0] mask [0:15];
  reg [COLS-1:0] seen, x, y;
  integer i, k;
  initial begin
    seen = 0;
    pops = 0;
    for (i = 0; i < 16; i = i + 1) begin
      cycles[i] = 0; reads[i] = 0; writes[i] = 0; adds[i] = 0; sent[i] = 0;
      for (k = 0; k < WIDE; k = k + 1) mask[i][k] = ~(k >> i);
      for (k = i * DEEP; k < (i + 1) * DEEP; k = k + 1) begin
        fall[k] = 0; flip[k] = 0; pick[k] = 0; none[k] = 0;
      end
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
  // every column counts for itself, in ripple counters side by side
  `define COUNT(planes) for (k = op * DEEP; |x; k = k + 1) begin \
      y = planes[k] & x; planes[k] = planes[k] ^ x; x = y; end
  `define SUM(name, planes) function [47:0] name(input integer op); begin name = 0; \
      for (i = DEEP - 1; i >= 0; i = i - 1) \
        name = 2 * name + ones(planes[op * DEEP + i]); end endfunction
  `SUM(falls, fall)
  `SUM(flips, flip)
  `SUM(chosen, pick)
  `SUM(zeros, none)
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
      x = bl_a;
      `COUNT(fall)
      x = bl_b;
      `COUNT(fall)
      if (line[`AT_W_ON]) begin
        x = old ^ fresh;
        `COUNT(flip)
        x = line[`AT_MASKED] ? G & USED : USED;
        `COUNT(pick)
      end
      if (line[`AT_LAST]) begin
        x = ~held;
        `COUNT(none)
        seen <= 0;
      end else seen <= held;
    end
  end
endmodule
